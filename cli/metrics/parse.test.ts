import { describe, expect, test } from "vitest";
import { parseMetrics } from "./parse.ts";

describe("parseMetrics", () => {
  test("reads names, labels and values, and leaves comments, time stamps and exemplars out", () => {
    const page = [
      '# HELP calls Calls { that "were" made',
      "# TYPE calls histogram",
      'calls_bucket{le="0.5",rpc_method="task.v1.TaskService/GetTask"} 17 # {trace_id="ab"} 0.2 1700000000.1',
      "up 1 1700000000000",
      "  ",
      "temperature{} -2.5e-3",
      "# EOF",
    ].join("\n");
    expect(parseMetrics(page)).toEqual([
      { name: "calls_bucket", labels: { le: "0.5", rpc_method: "task.v1.TaskService/GetTask" }, value: 17 },
      { name: "up", labels: {}, value: 1 },
      { name: "temperature", labels: {}, value: -0.0025 },
    ]);
  });

  test("undoes the escapes of label values", () => {
    const [sample] = parseMetrics('a{b="one\\"two\\\\n\\nthree}",c="{x=\\"1\\"} 9",} 3');
    expect(sample).toEqual({ name: "a", labels: { b: 'one"two\\n\nthree}', c: '{x="1"} 9' }, value: 3 });
  });

  test("knows the values that are no numbers", () => {
    expect(parseMetrics("a +Inf\nb -Inf\nc NaN\nd Inf").map(({ value }) => value)).toEqual([
      Infinity,
      -Infinity,
      Number.NaN,
      Infinity,
    ]);
  });

  test("leaves out what it does not understand, and keeps the rest", () => {
    const odd = ['a{b="1" 2', "a{b=1} 2", "a", "a x", '{b="1"} 2', 'a{="1"} 2', "9a 1"];
    expect(parseMetrics([...odd, "good 1"].join("\n"))).toEqual([{ name: "good", labels: {}, value: 1 }]);
  });

  test("takes lines that end as Windows ends them", () => {
    expect(parseMetrics("a 1\r\nb 2\r\n").map(({ value }) => value)).toEqual([1, 2]);
  });
});
