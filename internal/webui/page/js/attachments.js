// Pictures that are to go with the next message: dropped, pasted or chosen.
import { fill, h, iconButton } from "./dom.js";
import { bytes } from "./format.js";

const LARGEST = 5_000_000; // bytes of one picture, as the gateway takes it
const TOGETHER = 18_000_000; // bytes that fit into one message of the protocol, as base64

export class Attachments {
  #el;
  #tell;
  #list = [];
  #changed;

  /** el shows them; tell(text) says why something was not taken; changed() is called after each change. */
  constructor(el, tell, changed) {
    this.#el = el;
    this.#tell = tell;
    this.#changed = changed;
  }

  get count() {
    return this.#list.length;
  }

  /** add reads files; what cannot be sent is told and left out. */
  async add(files) {
    for (const file of files) {
      const problem = this.#problem(file);
      if (problem) {
        this.#tell(problem);
        continue;
      }
      const content = await base64(file);
      this.#list.push({ mimeType: file.type, fileName: file.name || "picture", content, size: file.size });
      this.#show();
    }
  }

  #problem(file) {
    if (!file.type.startsWith("image/")) return `${file.name} is no picture: the gateway takes pictures only.`;
    if (file.size > LARGEST) return `${file.name} is too large: ${bytes(file.size)}, at most ${bytes(LARGEST)} can be sent.`;
    if (this.#list.reduce((sum, a) => sum + a.size, file.size) > TOGETHER) return `${file.name} does not fit into this message any more: send it with the next one.`;
    return "";
  }

  /** take gives what was attached, and forgets it. */
  take() {
    const list = this.#list;
    this.set([]);
    return list;
  }

  set(list) {
    this.#list = list;
    this.#show();
  }

  #show() {
    this.#el.hidden = this.#list.length === 0;
    fill(
      this.#el,
      this.#list.map((a, i) =>
        h(
          "li",
          {},
          h("img", { class: "thumb", src: `data:${a.mimeType};base64,${a.content}`, alt: "" }),
          h("span", { class: "file" }, h("span", {}, a.fileName), h("small", {}, bytes(a.size ?? 0))),
          iconButton("close", `Remove ${a.fileName}`, () => this.set(this.#list.filter((_, j) => j !== i))),
        ),
      ),
    );
    this.#changed();
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^data:[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
