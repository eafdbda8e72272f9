// Beside the picture of the set-up page: a product by its name, focus and light, another threshold, teaching.
import { api, clock, h, number, percent, t } from "/pages/shared.js";

const METER_MS = 1000;
const TYPED_MS = 120;
const place = (id) => document.getElementById(id);

/** Products that a text means, below the field that it is typed in; `chosen(sku)`. */
export function combo(input, list, chosen) {
  let found = [];
  let at = -1;
  let timer = 0;
  let asked = 0;

  function close() {
    clearTimeout(timer);
    asked += 1; // what was asked before answers nothing any more
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function point(next) {
    at = next;
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", list.children[at].id);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
  }

  function choose(index) {
    input.value = found[index].sku;
    close();
    chosen(input.value);
  }

  async function ask() {
    const text = input.value.trim();
    if (!text) return close();
    const mine = ++asked;
    let products = [];
    try {
      ({ products } = await api(`/api/products?limit=8&text=${encodeURIComponent(text)}`));
    } catch { /* none is offered */ }
    if (mine !== asked || document.activeElement !== input) return;
    const pointed = found[at]?.sku;
    found = products;
    list.replaceChildren(
      ...found.map((each, index) =>
        h(
          "li",
          { id: `${list.id}-${index}`, role: "option", "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); choose(index); } },
          h("span", { dir: "auto" }, each.name || each.sku),
          h("small", {}, each.sku),
        ),
      ),
    );
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    // somebody may have pointed at one while the answer to the last letters was on its way
    point(found.findIndex((each) => each.sku === pointed));
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, TYPED_MS);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at < 1 ? found.length - 1 : at - 1;
      point(next % found.length);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      choose(at);
    } else if (event.key === "Escape") close();
  });
}

/** Focus and light, once a second while somebody looks. */
export async function watchMeter(camera) {
  let best = 0;
  let of = "";
  for (;;) {
    if (!document.hidden && camera()) {
      try {
        const name = camera();
        const reading = await api(`/api/setup/${encodeURIComponent(name)}/meter`);
        if (name !== of) best = 0;
        of = name;
        best = Math.max(best, reading.sharpness);
        show(reading, best);
      } catch {
        place("advice").textContent = t("no-picture");
      }
    }
    await new Promise((done) => setTimeout(done, METER_MS));
  }
}

function show(reading, best) {
  const clipped = reading.dark + reading.bright;
  place("sharpness").value = reading.sharpness;
  place("sharpness-now").textContent = number(reading.sharpness);
  place("brightness").value = reading.brightness;
  place("brightness-now").textContent = percent(reading.brightness);
  place("clipped").value = clipped;
  place("clipped-now").textContent = percent(clipped);
  const said = [t("best", { best: number(best) })];
  if (reading.sharpness < 28) said.push(t("turn"));
  if (reading.brightness < 0.2 || reading.dark > 0.1) said.push(t("darker"));
  if (reading.brightness > 0.8 || reading.bright > 0.1) said.push(t("brighter"));
  place("advice").textContent = said.join(" ");
}

/** Which of the latest decisions another threshold would change. */
export function whatIf(camera, file) {
  let tried = 0;
  place("what-if").addEventListener("submit", async (event) => {
    event.preventDefault();
    const rate = Number(place("rate").value);
    try {
      const answer = await api(`/api/setup/what_if?false_accept=${rate.toFixed(8)}&camera=${encodeURIComponent(camera())}`);
      place("would").textContent = t(answer.changes.length ? "would" : "would-not", {
        rate,
        count: answer.changes.length,
        all: answer.decisions,
        now: answer.now,
      });
      tried = rate;
      place("keep-rate").hidden = rate === answer.now;
      place("keep-rate").textContent = t("keep-rate", { rate });
      place("changes").replaceChildren(
        ...answer.changes.map((each) =>
          h(
            "li",
            {},
            h("span", { dir: "auto" }, `${each.name || each.sku || "–"} · ${[each.region, clock(each.time)].filter(Boolean).join(" · ")}`),
            h("span", { class: `badge ${each.named ? "good" : "warn"}` }, t(each.named ? "named" : "not-named")),
          ),
        ),
      );
    } catch (error) {
      place("would").textContent = error.message;
      place("keep-rate").hidden = true;
      place("changes").replaceChildren();
    }
  });
  place("keep-rate").addEventListener("click", async () => {
    try {
      const answer = await api("/api/setup/decision", { etag: file.etag(), false_accept: tried });
      file.written(answer.etag);
      place("keep-rate").hidden = true;
      place("changes").replaceChildren();
      place("would").textContent = answer.taken_over ? t("saved") : t("saved-only", { reason: answer.reason });
    } catch (error) {
      place("would").textContent = error.message;
    }
  });
}

/** An item is taught by views of it. `where()`: `{ camera, place }`, place null for all of the picture. */
export class Teaching {
  #views = [];

  constructor(where) {
    this.where = where;
    place("take").addEventListener("click", () => this.#take());
    place("teach").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#learn();
    });
    this.name = "";
  }

  /** The place that is shown now; empty: all of the picture. */
  point(name) {
    this.name = name;
    place("teach-where").textContent = t(name ? "teach-place" : "teach-whole", { name });
  }

  forget() {
    this.#views = [];
    this.#show();
  }

  get #good() {
    return this.#views.filter((each) => !each.fault);
  }

  async #take() {
    place("untaught").textContent = place("taught").textContent = "";
    const { camera, place: where } = this.where();
    const views = this.#good.map((each) => each.image);
    if (views.length >= 16) return;
    place("take").disabled = true;
    try {
      const said = { camera, place: where ? [where] : [] };
      this.#views.push(await api("/api/setup/view", views.length ? { ...said, views } : said));
      place("taught").textContent = t(`fault-${this.#views.at(-1).fault || "none"}`);
    } catch (error) {
      place("untaught").textContent = error.message;
    }
    place("take").disabled = false;
    this.#show();
  }

  #show() {
    place("learn").disabled = !this.#good.length;
    place("views").replaceChildren(
      ...this.#views.map((view, index) =>
        h(
          "li",
          {},
          h("img", { src: `data:image/jpeg;base64,${view.image}`, alt: t("view", { number: index + 1 }) }),
          h("span", { class: `badge ${view.fault ? "warn" : "good"}` }, t(`mark-${view.fault || "none"}`)),
          h("button", { class: "button", type: "button", "aria-label": t("drop-view", { number: index + 1 }), onclick: () => { this.#views.splice(index, 1); this.#show(); } }, t("remove")),
        ),
      ),
    );
  }

  async #learn() {
    const sku = place("new-sku").value.trim();
    place("untaught").textContent = place("taught").textContent = "";
    place("learn").disabled = true;
    try {
      const name = place("new-name").value.trim();
      const answer = await api("/api/commands/enrol", { sku, image: this.#good.map((each) => each.image), ...(name ? { name } : {}) });
      const known = await api(`/api/products/${encodeURIComponent(sku)}`);
      this.forget();
      place("taught").textContent = [t("taught", { name: known.name || known.sku, count: answer.pictures }), ...answer.warnings].join(" ");
    } catch (error) {
      place("untaught").textContent = error.message;
      place("learn").disabled = false;
    }
  }
}
