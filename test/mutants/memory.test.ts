import { memoryMutants } from './memory-mutants.js';
import { proveThatEachDies } from './proof.js';

proveThatEachDies(memoryMutants, 'memory-mutants.ts');
