import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line: how many tests passed, how many failed. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], faults: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const broken = modules.filter((module) => module.state() === "failed" && module.errors().length > 0).length;
    const passed = states.filter((state) => state === "passed").length;
    const failed = states.filter((state) => state === "failed").length + broken + faults.length;
    process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  }
}
