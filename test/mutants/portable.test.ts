import { portableMutants } from './portable-mutants.js';
import { proveThatEachDies } from './proof.js';

proveThatEachDies(portableMutants, 'portable-mutants.ts');
