// What a call can fail with.

/** GatewayError is a refusal or failure that the gateway answered with. */
export class GatewayError extends Error {
  constructor({ code = "UNAVAILABLE", message = "the gateway gave no reason", details, retryable, retryAfterMs }, method = "") {
    super(message);
    Object.assign(this, { name: "GatewayError", code, details, retryable, retryAfterMs, method });
  }
}

/**
 * ConnectionError means that no answer came. When sent is true the gateway may
 * have done what was asked for; when it is false it has not heard of it.
 */
export class ConnectionError extends Error {
  constructor(message, sent, closeCode = 0) {
    super(message);
    Object.assign(this, { name: "ConnectionError", sent, closeCode });
  }
}
