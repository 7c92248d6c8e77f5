import { CsvError, parse } from "csv-parse/sync";
import { invalidArgument } from "#kit/errors.ts";

/** One record of the file. A column that the file does not have is empty. */
export interface TodoistRecord {
  /** The line on which it starts, counted from 1. */
  line: number;
  type: string;
  content: string;
  description: string;
  priority: string;
  indent: string;
  responsible: string;
  date: string;
  dateLanguage: string;
  timeZone: string;
  deadline: string;
}

const columns: Record<string, keyof Omit<TodoistRecord, "line">> = {
  TYPE: "type",
  CONTENT: "content",
  DESCRIPTION: "description",
  PRIORITY: "priority",
  INDENT: "indent",
  RESPONSIBLE: "responsible",
  DATE: "date",
  DATE_LANG: "dateLanguage",
  TIMEZONE: "timeZone",
  DEADLINE: "deadline",
};

const maxRecords = 20_000;

interface Row {
  fields: string[];
  line: number;
}

/** Reads an export of Todoist; blank records are left out. Throws INVALID_ARGUMENT naming the line that is malformed. */
export function readRecords(content: Uint8Array): TodoistRecord[] {
  const [header, ...rows] = parseRows(decode(content));
  if (header === undefined) throw malformed(1, "the file is empty");
  const names = header.fields.map((name) => name.trim().toUpperCase());
  if (!names.includes("TYPE") || !names.includes("CONTENT")) {
    throw malformed(header.line, "the header needs the columns TYPE and CONTENT");
  }
  if (rows.length > maxRecords) throw malformed(rows[maxRecords]?.line ?? 1, `more than ${maxRecords} records`);
  return rows.filter(isFilled).map((row) => toRecord(names, row));
}

function decode(content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    throw malformed(lineOfFault(content), "the text is not UTF-8");
  }
}

/** The line up to which the text is right, by reading more and more of it. */
function lineOfFault(content: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  for (let start = 0; start < content.length; line += 1) {
    const end = content.indexOf(10, start);
    const stop = end < 0 ? content.length : end + 1;
    try {
      decoder.decode(content.subarray(start, stop));
    } catch {
      break;
    }
    start = stop;
  }
  return line;
}

function parseRows(text: string): Row[] {
  try {
    const rows = parse(text, {
      info: true,
      relax_column_count: true,
      record_delimiter: ["\r\n", "\n", "\r"],
    }) as unknown as { record: string[]; info: { lines: number } }[];
    let line = 1;
    return rows.map(({ record, info }) => {
      const row = { fields: record, line };
      line = info.lines + 1;
      return row;
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw malformed(lineOf(error), reasons[error.code] ?? "the record is not right");
  }
}

const reasons: Partial<Record<CsvError["code"], string>> = {
  CSV_QUOTE_NOT_CLOSED: "a quote is opened and not closed",
  INVALID_OPENING_QUOTE: "a quote stands in the middle of a field",
  CSV_INVALID_CLOSING_QUOTE: "something follows a closing quote",
};

function lineOf(error: CsvError): number {
  const { lines } = error as unknown as { lines?: number };
  const opened = /opening quote at line (\d+)/.exec(error.message)?.[1];
  return Number(opened ?? lines ?? 1);
}

function isFilled({ fields }: Row): boolean {
  return fields.some((field) => field.trim() !== "");
}

function toRecord(names: readonly string[], { fields, line }: Row): TodoistRecord {
  if (fields.length !== names.length) {
    throw malformed(line, `${fields.length} fields where the header has ${names.length}`);
  }
  const record: TodoistRecord = {
    line,
    type: "",
    content: "",
    description: "",
    priority: "",
    indent: "",
    responsible: "",
    date: "",
    dateLanguage: "",
    timeZone: "",
    deadline: "",
  };
  names.forEach((name, index) => {
    const column = columns[name];
    if (column !== undefined) record[column] = fields[index] ?? "";
  });
  return record;
}

function malformed(line: number, problem: string) {
  return invalidArgument("content", `line ${line}: ${problem}`);
}
