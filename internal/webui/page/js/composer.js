// Where messages are written. What was begun is kept for each session.
import { Attachments } from "./attachments.js";
import { button, h, icon, iconButton } from "./dom.js";

const DRAFT = "parley.draft:";

/**
 * Composer calls acts.send(text, attachments, mode) with the mode "send" or
 * "steer", acts.stop(), and acts.tell(text) for what a person should know.
 */
export class Composer {
  #acts;
  #key = "";
  #running = false;
  #text;
  #files;
  #send;
  #steer;
  #stop;
  #hint;
  el;

  constructor(acts) {
    this.#acts = acts;
    this.#text = h("textarea", {
      id: "composer", rows: 1, placeholder: "Write a message", "aria-label": "Message", "aria-describedby": "composer-hint", enterkeyhint: "send",
      on: { keydown: (e) => this.#pressed(e), input: () => this.#changed(), paste: (e) => this.#paste(e) },
    });
    const list = h("ul", { class: "files", "aria-label": "Pictures that go with the message", hidden: true });
    this.#files = new Attachments(list, acts.tell, () => this.#show());
    const picker = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true, tabIndex: -1, "aria-label": "Pictures", on: { change: () => this.#picked(picker) } });
    this.#send = h("button", { type: "submit", class: "button primary send" }, icon("send"), h("span", {}, "Send"));
    this.#steer = button("Steer", () => this.#go("steer"), { icon: "steer", kind: "steer", hidden: true, title: "Interrupt the answer with this message (Ctrl+Enter)" });
    this.#stop = button("Stop", () => acts.stop(), { icon: "stop", kind: "stop", hidden: true, title: "Stop the answer (Esc)" });
    this.#hint = h("p", { id: "composer-hint", class: "hint" });
    this.el = h(
      "form",
      { class: "composer", "aria-label": "New message", on: { submit: (e) => (e.preventDefault(), this.#go("send")) } },
      list,
      h("div", { class: "field" }, iconButton("clip", "Attach pictures", () => picker.click()), picker, this.#text, h("div", { class: "field-acts" }, this.#stop, this.#steer, this.#send)),
      this.#hint,
    );
    this.#show();
  }

  /** open shows what was begun for a session. */
  open(key) {
    this.#key = key;
    this.#text.value = sessionStorage.getItem(DRAFT + key) ?? "";
    this.#files.set([]);
    this.#fit();
    this.#show();
  }

  focus() {
    this.#text.focus();
  }

  /** put lets a message be written on that was typed before. */
  put(text, attachments) {
    this.#text.value = text;
    this.#files.set(attachments);
    this.#changed();
    this.focus();
  }

  addFiles(files) {
    return this.#files.add(files);
  }

  /** setState says whether an answer is being given, and whether there is a connection. */
  setState({ running, connected }) {
    this.#running = running;
    this.el.classList.toggle("running", running);
    this.#hint.textContent = !connected
      ? "There is no connection. What you send now goes when it is back."
      : running
        ? "Enter queues the message behind the answer, Ctrl+Enter interrupts it, Esc stops it."
        : "Enter sends, Shift+Enter begins a new line. Drop pictures anywhere here.";
    this.#show();
  }

  #changed() {
    sessionStorage.setItem(DRAFT + this.#key, this.#text.value);
    this.#fit();
    this.#show();
  }

  /** #fit makes the field as high as its text, up to what the style allows, where the browser does not by itself. */
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }

  #show() {
    const empty = this.#text.value.trim() === "" && (this.#files?.count ?? 0) === 0;
    this.#send.disabled = empty;
    this.#steer.disabled = empty;
    const name = this.#running ? "Queue" : "Send";
    this.#send.lastElementChild.textContent = name;
    this.#send.setAttribute("aria-label", name); // where there is little room the text is not shown
    this.#steer.hidden = !this.#running;
    this.#stop.hidden = !this.#running;
  }

  #go(mode) {
    const text = this.#text.value;
    if (text.trim() === "" && this.#files.count === 0) return;
    this.#text.value = "";
    const attachments = this.#files.take();
    this.#changed();
    this.#acts.send(text, attachments, mode);
    this.focus();
  }

  #pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" && this.#running) {
      event.preventDefault();
      this.#acts.stop();
      return;
    }
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    if (!command && matchMedia("(pointer: coarse)").matches) return; // there is no Shift on glass
    event.preventDefault();
    this.#go(command && this.#running ? "steer" : "send");
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.#files.add(files);
  }

  #picked(picker) {
    this.#files.add([...picker.files]);
    picker.value = "";
    this.focus();
  }
}
