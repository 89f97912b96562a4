// The identity of this browser: an Ed25519 key that is made once and kept in the
// browser's database, not extractable, so that nobody can carry it away. With it
// lies the token that the gateway gave this device, which is of no use without
// the key.
const DATABASE = "parley";
const STORE = "device";

/** identity gives the identity of this browser, and makes it first if need be. It throws where there is no secure context. */
export async function identity() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    throw new Error("This page needs a secure context to prove who it is: open it by HTTPS, or as http://127.0.0.1 or http://localhost on the gateway's machine.");
  }
  const kept = await read("key");
  if (kept) return new Identity(kept);
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  await write("key", pair);
  return new Identity(pair);
}

/** Identity signs handshakes with a key pair of Web Crypto. */
export class Identity {
  #pair;
  #public = null; // {id, publicKey}

  constructor(pair) {
    this.#pair = pair;
  }

  /** sign proves the key over the nonce of a connection; it gives connect's device. */
  async sign({ client, role, scopes, token, nonce, signedAt }) {
    const { id, publicKey } = await this.describe();
    const text = ["v2", id, client.id, client.mode, role, scopes.join(","), signedAt, token, nonce].join("|");
    const signature = await crypto.subtle.sign("Ed25519", this.#pair.privateKey, new TextEncoder().encode(text));
    return { id, publicKey, signature: base64url(signature), signedAt, nonce };
  }

  /** describe gives the device's id and public key. */
  async describe() {
    if (!this.#public) {
      const raw = await crypto.subtle.exportKey("raw", this.#pair.publicKey);
      const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
      const id = Array.from(sum, (b) => b.toString(16).padStart(2, "0")).join("");
      this.#public = { id, publicKey: base64url(raw) };
    }
    return this.#public;
  }
}

/** deviceToken is the token that the gateway gave this device, "" for none. */
export async function deviceToken() {
  return (await read("token").catch(() => "")) ?? "";
}

export function keepDeviceToken(token) {
  return write("token", token);
}

/** forget removes key and token: the gateway will not know this browser any more. */
export function forget() {
  return inStore("readwrite", (store) => store.clear());
}

const read = (name) => inStore("readonly", (store) => store.get(name));
const write = (name, value) => inStore("readwrite", (store) => store.put(value, name));

async function inStore(mode, use) {
  const db = await settled(Object.assign(indexedDB.open(DATABASE, 1), { onupgradeneeded: (e) => e.target.result.createObjectStore(STORE) }));
  try {
    const transaction = db.transaction(STORE, mode);
    const result = await settled(use(transaction.objectStore(STORE)));
    return result;
  } finally {
    db.close(); // when the transaction is done
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function base64url(buffer) {
  const text = Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
