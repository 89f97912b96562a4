// What a person sees whom the gateway does not let in, and what to do.
import { dialog, field } from "./dialog.js";
import { h } from "./dom.js";

const HINTS = {
  AUTH_TOKEN_MISSING: "The address that parley serve printed has the token in it. It is also kept in the file “token” of the state directory.",
  AUTH_TOKEN_MISMATCH: "The token is not the gateway's, or not any more. parley serve printed an address with it; it is also kept in the file “token” of the state directory.",
  AUTH_DEVICE_TOKEN_MISMATCH: "This browser was known here once, but its right to come in has ended. Give the token again.",
  AUTH_PASSWORD_MISSING: "The gateway wants its password.",
  AUTH_PASSWORD_MISMATCH: "That was not the password.",
  AUTH_RATE_LIMITED: "Too many wrong tokens came from here. Wait five minutes, then try again.",
  CONTROL_UI_ORIGIN_NOT_ALLOWED: "Add this page's address to gateway.controlUi.allowedOrigins, or open the page on the gateway's machine.",
};

/** PASSWORD are the codes that a password answers, SECRET those that a token does. */
const PASSWORD = ["AUTH_PASSWORD_MISSING", "AUTH_PASSWORD_MISMATCH"];
const SECRET = ["AUTH_TOKEN_MISSING", "AUTH_TOKEN_MISMATCH", "AUTH_DEVICE_TOKEN_MISMATCH", ...PASSWORD];

/**
 * login asks for what is missing. It resolves with {token}, {password} or {}
 * ("try again"); onOpen is given a function that ends it.
 */
export async function login(error, onOpen) {
  const { code, requestId } = error.details ?? {};
  const password = PASSWORD.includes(code);
  const secret = h("input", { type: "password", autocomplete: password ? "current-password" : "off", autofocus: true, required: true });
  const body = [h("p", { class: "why" }, error.message + "."), h("p", {}, HINTS[code] ?? "")];
  if (code === "PAIRING_REQUIRED") body.splice(0, 2, h("p", {}, "This browser has to be approved once, on the gateway's machine or in Activity of a page that is connected already:"), h("pre", { tabIndex: 0 }, `parley call device.pair.approve '{"requestId":"${requestId}"}'`));
  const asks = SECRET.includes(code);
  if (asks) body.push(field(password ? "Password" : "Token", secret));
  const done = await dialog({
    title: code === "PAIRING_REQUIRED" ? "This browser is new here" : "The gateway does not let this page in",
    body,
    actions: [{ text: asks ? "Connect" : "Try again", value: true, kind: "primary", submit: true }],
    stay: () => (asks && !secret.value.trim() ? "Nothing was given." : ""),
    forced: true,
    kind: "login",
    onOpen,
  });
  if (done !== true) return null;
  if (!asks) return {};
  return password ? { password: secret.value } : { token: secret.value.trim() };
}
