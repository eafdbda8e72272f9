// The review page: one decision after the other, what it was made of, and what a person says of it.
import { api, clock, h, has, head, number, percent, speak, t } from "/pages/shared.js";

const QUEUE = 50; // decisions that are fetched at once
const LISTED = 8; // products below the field
const MOST = 1e6; // times likelier: beyond that the number says nothing more
const PAUSE_MS = 120; // after a key, before products are asked for

const place = (id) => document.getElementById(id);
let queue = []; // decisions without an answer, the first one is shown
let counts = { open: 0, answered: 0 };
const later = new Set(); // skipped until the page is opened again
const done = []; // answered here, the latest last
let busy = false;

async function fill() {
  const said = await api(`/api/review?limit=${QUEUE + Math.min(later.size, QUEUE)}`);
  counts = said;
  queue = said.decisions.filter((each) => !later.has(each.decision));
}

function show() {
  const one = queue[0];
  place("queue").hidden = false;
  place("counted").textContent = t("counted", { open: number(counts.open), answered: number(counts.answered) });
  place("progress").max = Math.max(1, counts.open + counts.answered);
  place("progress").value = counts.answered;
  place("undo").disabled = !done.length;
  place("card").hidden = !one;
  place("nothing").hidden = Boolean(one);
  if (!one) {
    nothing(t(later.size ? "only-later" : "nothing"), t("nothing-why"));
    return;
  }
  const heading = place("answered");
  heading.replaceChildren(h("bdi", {}, said(one)));
  heading.className = `wrap ${one.verdict}`;
  place("where").textContent = [
    [one.camera, one.region].filter(Boolean).join(" · "),
    new Date(one.time).toLocaleDateString(document.documentElement.lang),
    clock(one.time),
    t("looks", { looks: number(one.looks) }),
  ].join(" · ");
  place("kind").textContent = t(`kind-${one.kind}`);
  place("kind").className = `badge ${one.kind === "sure" ? "good" : one.kind === "unknown" ? "bad" : "warn"}`;
  place("shown").replaceChildren(
    one.picture ? h("img", { src: `${address(one)}/picture`, alt: t("seen") }) : h("p", {}, t("no-picture")),
  );
  refer(one, 0);
  place("options").replaceChildren(...one.options.map((option, n) => row(one, option, n)));
  weigh(one);
  close();
  place("is").value = "";
  if (queue[1]?.picture) new Image().src = `${address(queue[1])}/picture`;
}

function nothing(title, why) {
  place("card").hidden = true;
  place("nothing").hidden = false;
  place("nothing-title").textContent = title;
  place("nothing-why").textContent = why;
}

const address = (one) => `/api/review/${one.decision}`;

/** What the device said. */
function said(one) {
  const sure = percent(one.probability);
  if (one.verdict === "known") return `${one.name || one.sku} · ${sure}`;
  const names = one.options.slice(0, 2).map((each) => each.name || each.sku);
  if (one.verdict === "ambiguous" && names.length) return t("ambiguous", { names: names.join(" / ") });
  return t("unknown");
}

/** The nearest picture of one option, beside what was seen. */
function refer(one, index) {
  const option = one.options[index];
  place("reference").replaceChildren(
    option ? picture(one, index, option.name || option.sku) : h("p", {}, t("no-reference")),
  );
  place("reference-name").textContent = option
    ? t("nearest", { name: option.name || option.sku, similarity: number(option.similarity, 3) })
    : "";
}

function picture(one, index, alt) {
  const image = h("img", { src: `${address(one)}/reference/${index}`, alt, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(h("span", { "aria-hidden": "true" }, "–")));
  return image;
}

function row(one, option, index) {
  const name = option.name || option.sku;
  const clues = option.clues.map((clue) => `${named(clue.source)} ${factor(clue.log_odds)}`).join(" · ");
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        "aria-label": t("is-this", { name }),
        onclick: () => answer("is", option),
        onpointerenter: () => refer(one, index),
        onfocus: () => refer(one, index),
      },
      picture(one, index, ""),
      h("span", {}, h("span", { class: "name wrap" }, h("bdi", {}, name)), h("span", { class: "dim wrap" }, option.sku)),
      h(
        "span",
        { class: "number" },
        h("bdi", {}, percent(option.probability)),
        h("span", { class: "dim" }, h("bdi", { dir: clues ? null : "ltr" }, clues || number(option.similarity, 3))),
      ),
    ),
  );
}

function weigh(one) {
  const told = one.evidence.filter((each) => each.log_odds);
  place("evidence").replaceChildren(
    ...told.map(({ source, log_odds }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, named(source)),
        h("td", { class: `number ${log_odds > 0 ? "for" : "against"}` }, factor(log_odds)),
      ),
    ),
  );
  place("reason").textContent = one.reason;
  place("rate").textContent = t("rate", {
    rate: new Intl.NumberFormat(document.documentElement.lang, { style: "percent", maximumSignificantDigits: 2 }).format(
      one.false_accept,
    ),
    margin: number(one.margin, 3),
    release: one.release || "–",
  });
}

function named(source) {
  return has(`source-${source}`) ? t(`source-${source}`) : source;
}

/** Log-odds as people say them: so many times likelier, or less likely. */
function factor(logOdds) {
  const times = Math.exp(Math.abs(logOdds));
  const shown = times > MOST ? `> ${number(MOST)}` : number(times, times < 10 ? 1 : 0);
  return t(logOdds > 0 ? "likelier" : "unlikelier", { times: shown });
}

/** Keep what a person says, and go on to the next one. */
async function answer(verdict, product = null) {
  const one = queue[0];
  if (!one || busy) return;
  busy = true;
  try {
    const body = { decision: one.decision, answer: verdict };
    if (product) body.sku = product.sku;
    counts = await api("/api/review", body);
    done.push(one);
    queue.shift();
    fail("");
    tell(t(`said-${verdict}`, { name: product ? product.name || product.sku : "" }));
  } catch (error) {
    if (error.status === 404 && verdict !== "is") queue.shift(); // it was dropped meanwhile: there is no more to say
    fail(error.message);
  }
  busy = false;
  await next();
}

async function skip() {
  if (!queue.length || busy) return;
  later.add(queue.shift().decision);
  tell(t("said-later"));
  await next();
}

async function undo() {
  const one = done.at(-1);
  if (!one || busy) return;
  busy = true;
  try {
    counts = await api("/api/review", { decision: one.decision, answer: "open" });
    queue = [one, ...queue.filter((each) => each.decision !== one.decision)];
    fail("");
    tell(t("said-undone"));
  } catch (error) {
    fail(error.message);
  }
  done.pop();
  busy = false;
  show();
  settle();
}

async function next() {
  try {
    if (!queue.length) await fill();
    show();
    settle();
  } catch (error) {
    fail(error.message);
  }
}

/** Keys act where the focus is in the card: a letter typed elsewhere does nothing. */
function settle() {
  if (queue.length) place("card").focus({ preventScroll: true });
  else place("again").focus();
}

function tell(text) {
  const next = queue[0];
  place("said").textContent = next ? `${text} ${t("next", { name: said(next) })}` : text;
}

function fail(text) {
  place("error").textContent = text;
  place("error").hidden = !text;
}

// ---- this is …: a field that completes itself

let listed = [];
let active = -1;
let moved = false; // somebody pointed at one
let timer = 0;
let asked = 0;

async function complete() {
  const text = place("is").value.trim();
  const mine = ++asked;
  if (!text) {
    close();
    return;
  }
  try {
    const { products } = await api(`/api/products?limit=${LISTED}&text=${encodeURIComponent(text)}`);
    if (mine !== asked) return; // a later key has asked again
    const pointed = moved && active >= 0 ? listed[active].sku : ""; // while the answer was on its way
    listed = products;
    mark(Math.max(listed.findIndex((each) => each.sku === pointed), products.length ? 0 : -1));
  } catch (error) {
    fail(error.message);
  }
}

function mark(index) {
  active = index;
  const field = place("is");
  place("found").replaceChildren(
    ...listed.map((product, n) =>
      h(
        "li",
        {
          id: `found-${n}`,
          role: "option",
          "aria-selected": n === active ? "true" : "false",
          onmousedown: (event) => event.preventDefault(), // the field keeps the focus
          onclick: () => pick(n),
        },
        h("span", { class: "wrap" }, h("bdi", {}, product.name || product.sku)),
        h("span", { class: "dim clip" }, product.sku),
      ),
    ),
  );
  place("found").hidden = !listed.length;
  field.setAttribute("aria-expanded", String(listed.length > 0));
  if (active >= 0) {
    field.setAttribute("aria-activedescendant", `found-${active}`);
    place(`found-${active}`).scrollIntoView({ block: "nearest" });
  } else field.removeAttribute("aria-activedescendant");
}

function close() {
  asked++;
  clearTimeout(timer);
  moved = false;
  listed = [];
  mark(-1);
}

function pick(index) {
  const product = listed[index];
  if (!product) return;
  answer("is", product);
}

function typed(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!listed.length) return;
    const step = event.key === "ArrowDown" ? 1 : -1;
    moved = true;
    mark((active + step + listed.length) % listed.length);
  } else if (event.key === "Enter") {
    if (event.isComposing) return; // a word of an input method is chosen
    pick(active);
  } else if (event.key === "Escape") {
    place("is").value = "";
    close();
    settle();
  } else return;
  event.preventDefault();
}

const keys = {
  r: () => answer("right"),
  w: () => answer("wrong"),
  i: () => place("is").focus(),
  s: skip,
  u: undo,
};

function pressed(event) {
  const key = event.key.toLowerCase();
  if (event.target === place("is") || event.ctrlKey || event.metaKey || event.altKey || !(key in keys)) return;
  event.preventDefault();
  if (!event.repeat) keys[key]();
}

await speak("review");
document.title = `${t("page/review")} – Spotter`;
place("is").placeholder = t("is");
await head("/review");
place("right").addEventListener("click", () => answer("right"));
place("wrong").addEventListener("click", () => answer("wrong"));
place("skip").addEventListener("click", skip);
place("undo").addEventListener("click", undo);
place("again").addEventListener("click", () => {
  later.clear();
  fill().then(show).then(settle).catch((error) => fail(error.message));
});
place("is").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(complete, PAUSE_MS);
});
place("is").addEventListener("keydown", typed);
place("is").addEventListener("blur", close);
place("card").addEventListener("keydown", pressed);
try {
  await fill();
  show();
  settle();
} catch (error) {
  nothing(t("off"), error.message);
  place("again").hidden = true;
}
