/** One thing that is wrong with a request. */
export interface FieldFault {
  /** Path in the request message in proto names, "task.due.date"; a name that the message lacks stays as it was written. */
  field: string;
  description: string;
}

/** The request cannot be turned into a message. The message names fields and what they must be, never their values. */
export class TranscodingError extends Error {
  override readonly name = "TranscodingError";
  readonly faults: readonly FieldFault[];

  constructor(message: string, faults: readonly FieldFault[] = []) {
    super(message);
    this.faults = faults;
  }

  static fields(faults: readonly FieldFault[]): TranscodingError {
    const message = faults
      .map(({ field, description }) => (field ? `${field}: ${description}` : description))
      .join("; ");
    return new TranscodingError(message, faults);
  }

  static field(field: string, description: string): TranscodingError {
    return TranscodingError.fields([{ field, description }]);
  }
}

/** An annotation that cannot be served; raised when routes are built, never by a request. */
export class HttpRuleError extends Error {
  override readonly name = "HttpRuleError";
}
