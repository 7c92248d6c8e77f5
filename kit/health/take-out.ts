/** Envoy takes out the instance whose answer has this header, without waiting for the next look at its health. */
export const takeOutHeader = "x-envoy-immediate-health-check-fail";
