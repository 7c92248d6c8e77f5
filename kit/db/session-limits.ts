/** What every session is limited to unless told otherwise, in milliseconds. A pooler in between must see to it itself. */
export const sessionLimits = { statement_timeout: 1_500, idle_in_transaction_session_timeout: 5_000 } as const;
