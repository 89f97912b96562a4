// Uses the library openclaw-node as its users do, and prints what happened as
// JSON. usage: library.js URL TOKEN
const { OpenClawClient } = require("openclaw-node");
const path = require("node:path");

const [url, token] = process.argv.slice(2);

async function main() {
  const out = {};
  const client = new OpenClawClient({ url, token, autoReconnect: false, deviceIdentityPath: path.join(process.env.HOME, "device.json") });
  const hello = await client.connect();
  out.protocol = hello.protocol;
  out.healthy = (await client.health()).ok === true;
  out.keys = (await client.sessions.list({ limit: 10 })).sessions.map((row) => row.key);

  // An answer in pieces; pieces may be joined, so only their kinds are told.
  let text = "";
  const kinds = [];
  for await (const chunk of client.chat("[[drip 20 20]]", { sessionKey: "agent:main:library" })) {
    if (chunk.type === "text") text += chunk.text;
    if (kinds.at(-1) !== chunk.type) kinds.push(chunk.type);
  }
  const all = Array.from({ length: 20 }, (_, i) => `w${i + 1}`).join(" ");
  out.chunks = text.trim() === all ? kinds : [text];
  out.sync = await client.chatSync("[[say whole answer]]", { sessionKey: "agent:main:library-sync" });

  const running = new Promise((resolve) => client.on("event", (e) => e.event === "chat" && e.payload.sessionKey === "agent:main:library-stop" && e.payload.state === "delta" && resolve()));
  // Its own sessions.send leaves out the idempotency key, which every gateway refuses.
  await client.request("chat.send", { sessionKey: "agent:main:library-stop", message: "[[drip 1000 50]]", idempotencyKey: "library-stop" });
  await running;
  out.aborted = (await client.chatAbort("agent:main:library-stop")).aborted;
  out.history = (await client.sessions.history("agent:main:library-sync", { limit: 10 })).messages.map((m) => m.role);
  try {
    out.deleted = (await client.request("sessions.delete", { key: "agent:main:library-sync" })).payload.deleted;
  } catch (e) {
    out.deleted = /missing scope: operator\.admin/.test(e.message); // it asked for reading and writing only
  }
  try {
    const answer = await client.request("no.such");
    out.unknown = answer.error.message;
  } catch (e) {
    out.unknown = e.message;
  }
  await client.disconnect();

  const again = new OpenClawClient({ url, token, autoReconnect: false, deviceIdentityPath: path.join(process.env.HOME, "device.json") });
  out.again = (await again.connect()).type === "hello-ok";
  await again.disconnect();
  console.log(JSON.stringify(out));
}

main().then(() => process.exit(0), (e) => {
  console.error(e);
  process.exit(1);
});
