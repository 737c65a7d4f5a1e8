import { reportAsText, runConformance, verdictOf } from 'signalbox/conformance';
import { shelfHarness } from './conformance.js';

// Ids of cases as arguments; without any, the whole suite.
const only = process.argv.slice(2);
const report = await runConformance(shelfHarness(), { only: only.length === 0 ? undefined : only });
console.log(reportAsText(report));
process.exitCode = report.promises.some((each) => verdictOf(each) === 'broken') ? 1 : 0;
