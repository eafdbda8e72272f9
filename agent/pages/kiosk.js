// The kiosk: shows what the device says of what is held up, and searches by text.
//
//   attract ──presence──▶ look ──▶ product | choice | unknown        any of them ──search──▶ search ──▶ product
//
// What the device says arrives as server-sent events; what is touched goes first for a while, so that nobody is
// interrupted in the middle of a word. Everything goes back to attract when nothing happens.

import { LANGUAGES, api, h, listen } from "./shared.js";
import { makeKeys } from "./kiosk-keys.js";
import { parsePlan, showWay } from "./kiosk-plan.js";

const BUSY_MS = 6000;      // so long after a touch only a product that is known changes the page
const LISTED = 24;         // products of one search: three screens of large cards
const PICTURE_PX = 320;    // of a product: catalogues have none that is larger
const FETCHED = 500;       // pictures that are remembered to be there
const PAUSE_MS = 180;      // between two letters: then the pictures of a list are worth asking for
const DEFAULT = "en";

const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search);

const now = {
  view: "attract",
  kiosk: null,             // as /api/kiosks has it
  texts: {},
  language: DEFAULT,
  plan: null,
  products: [],            // on offer, of a choice or a search
  product: null,
  from: "",                // the view that a product was opened from
  number: -1,              // of what the device showed last
  touched: 0,
  shown: 0,
  told: true,              // whether somebody was told what came of the offer
  online: true,
};

// ---------------------------------------------------------------- words

function t(key, values = {}) {
  const text = now.texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

async function speak(language) {
  const answer = await fetch(`/pages/text/kiosk/${encodeURIComponent(language)}.json`);
  if (!answer.ok) return;
  now.texts = await answer.json();
  now.language = language;
  const root = document.documentElement;
  root.lang = language;
  root.dir = now.texts.direction || "ltr";
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-t-label]")) each.setAttribute("aria-label", t(each.dataset.tLabel));
  for (const each of document.querySelectorAll("[data-t-placeholder]")) each.placeholder = t(each.dataset.tPlaceholder);
  document.title = t("title");
  for (const each of $("languages").children) each.setAttribute("aria-pressed", String(each.lang === language));
  makeKeys($("keys"), $("search-text"), t("keys"), t, () => showKeys(false));
  $("search-text").inputMode = t("keys") ? "none" : "search";
  drawAgain();
}

function ownLanguage() {
  const own = navigator.languages.map((each) => each.toLowerCase().split("-")[0]);
  return own.find((each) => each in LANGUAGES) ?? DEFAULT;
}

function drawLanguages() {
  $("languages").replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) =>
    h("button", { type: "button", lang: code, "aria-pressed": String(code === now.language), onclick: () => speak(code) }, name)));
}

/** Whatever was written by this page, in the language of now. */
function drawAgain() {
  notice();
  if (now.product) drawProduct(now.product);
  if (now.view === "choice") drawChoice();
  if (now.view === "search") drawResults();
}

// ---------------------------------------------------------------- small things

const nameOf = (product) => product.name || product.sku;

function where(product) {
  const { aisle, bay } = product;
  if (aisle && bay) return t("place.bay", { aisle: bare(aisle), bay: bare(bay) });
  if (aisle) return t("place", { aisle: bare(aisle) });
  return bay ? t("place.bay.only", { bay: bare(bay) }) : "";
}

/** "Aisle 4" is said as "4": the word stands in the text of the page, in the language of whoever reads it. */
const bare = (text) => text.replace(/^(aisle|bay)\s+/i, "");

function price(product) {
  const currency = now.kiosk?.currency, written = product.price.trim();
  if (!currency || !/^\d+([.,]\d+)?$/.test(written)) return written;
  try {
    return new Intl.NumberFormat(now.language, { style: "currency", currency }).format(Number(written.replace(",", ".")));
  } catch {
    return written;
  }
}

const fetched = new Set(); // addresses of pictures that the browser has

/** The picture of a product; its first letters where it has none. `wait`: it is asked for by `fetchPictures`. */
function picture(room, product, wait = false) {
  const letters = () => {
    room.classList.add("lettered");
    room.replaceChildren(h("span", { "aria-hidden": "true" }, [...nameOf(product)].slice(0, 2).join("").toUpperCase()));
  };
  room.classList.remove("lettered");
  if (!product.pictured) {
    letters();
    return room;
  }
  const address = `/api/products/${encodeURIComponent(product.sku)}/picture?side_px=${PICTURE_PX}`;
  const image = h("img", { alt: "", decoding: "async", loading: wait ? "lazy" : "eager" });
  image.onerror = letters;
  if (wait && !fetched.has(address)) image.dataset.src = address;
  else image.src = address;
  image.onload = () => fetched.size < FETCHED ? fetched.add(address) : fetched.clear();
  room.replaceChildren(image);
  return room;
}

/** Pictures of a list come when nobody types: each letter makes another list, and its words go first. */
function fetchPictures(list) {
  for (const image of list.querySelectorAll("img[data-src]")) {
    image.src = image.dataset.src;
    delete image.dataset.src;
  }
}

function card(product, open, wait = false) {
  const button = h("button", { type: "button", class: "product-card" });
  const facts = h("span", { class: "card-facts" });
  facts.append(h("span", { class: "card-name", dir: "auto" }, nameOf(product)));
  if (product.brand) facts.append(h("span", { class: "card-brand", dir: "auto" }, product.brand));
  const last = h("span", { class: "card-last" });
  if (product.price) last.append(h("span", { class: "card-price" }, price(product)));
  if (where(product)) last.append(h("span", { class: "card-place" }, where(product)));
  if (last.childElementCount) facts.append(last);
  button.append(picture(h("span", { class: "picture" }), product, wait), facts);
  button.onclick = () => open(product);
  return h("li", {}, button);
}

function say(words) {
  $("said").textContent = "";
  requestAnimationFrame(() => { $("said").textContent = words; });
}

// ---------------------------------------------------------------- views

function show(view, { focus = true } = {}) {
  const before = now.view;
  now.view = view;
  now.shown = Date.now();
  document.body.dataset.view = view;
  for (const each of document.querySelectorAll(".view")) each.hidden = each.id !== `view-${view}`;
  $("home").hidden = view === "attract";
  if (view !== before) window.scrollTo(0, 0);
  if (!focus) return;
  if (view === "search") $("search-text").focus();
  else $(`view-${view}`).querySelector("h1").focus({ preventScroll: true });
}

function home() {
  leaveOffer();
  now.product = null;
  $("search-text").value = "";
  show("attract");
  if (now.language !== ownLanguage()) speak(ownLanguage());
}

function drawProduct(product) {
  $("product-eyebrow").textContent = now.from ? "" : t("answer.this");
  $("product-eyebrow").hidden = Boolean(now.from);
  $("product-name").textContent = nameOf(product);
  $("product-brand").textContent = product.brand;
  $("product-price").textContent = price(product);
  $("product-where").textContent = where(product);
  $("product-place").hidden = !where(product);
  $("product-description").textContent = product.description;
  const tags = product.tags.split(/[,;|]/).map((tag) => tag.trim()).filter(Boolean);
  $("product-tags").replaceChildren(...[product.category, ...tags].filter(Boolean).map((tag) => h("li", { dir: "auto" }, tag)));
  $("product-tags").hidden = !product.category && !tags.length;
  $("product-about").hidden = !product.description && $("product-tags").hidden;
  $("product-back").hidden = now.from !== "search";
  $("product-wrong").hidden = Boolean(now.from);
  $("product-map").hidden = true;
  // When the answer is on the screen: finding the way takes longer than drawing all else.
  requestAnimationFrame(() => setTimeout(() => now.product === product && drawPlan(product)));
}

function drawPlan(product) {
  const figure = $("product-map");
  figure.hidden = !now.plan || now.view !== "product";
  if (figure.hidden) return;
  $("plan-room").setAttribute("aria-label", t("map.alt", { place: where(product) }));
  figure.hidden = !showWay($("plan-room"), now.plan, product.aisle, product.bay, t("map.here"));
}

function openProduct(product, from) {
  now.product = product;
  now.from = from;
  picture($("product-picture"), product);
  $("product-similar").hidden = true;
  show("product");
  drawProduct(product);
  similar(product);
}

async function similar(product) {
  let products = [];
  try {
    ({ products } = await api(`/api/products/${encodeURIComponent(product.sku)}/similar?k=4`));
  } catch { /* nobody misses them */ }
  if (now.product !== product) return;
  $("similar-list").replaceChildren(...products.map((each) => card(each, (chosen) => openProduct(chosen, now.from || "similar"))));
  $("product-similar").hidden = !products.length;
}

function drawChoice() {
  const one = now.products.length === 1 ? ".one" : "";
  $("choice-title").textContent = t(`choice.title${one}`);
  $("choice-none").textContent = t(`choice.none${one}`);
  $("choice-list").replaceChildren(...now.products.map((each) => card(each, (chosen) => {
    tell(chosen.sku);
    openProduct(chosen, "choice");
  })));
}

// ---------------------------------------------------------------- search

let asked = null;
let typing = 0;
let pausing = 0;
let results = { text: "", products: [], state: "empty" };

function openSearch(first = "") {
  leaveOffer();
  now.product = null;
  $("search-text").value = first;
  show("search");
  showKeys(true);
  results = { text: "", products: [], state: "empty" };
  drawResults();
  if (first) typed();
}

function showKeys(visible) {
  $("keys").hidden = !visible || !t("keys");
  document.body.classList.toggle("with-keys", !$("keys").hidden);
}

async function typed() {
  const text = $("search-text").value.trim();
  $("search-clear").hidden = !text;
  if (asked) asked.abort();
  if (!text) {
    results = { text, products: [], state: "empty" };
    return drawResults();
  }
  const mine = asked = new AbortController();
  try {
    const path = `/api/products?limit=${LISTED}&text=${encodeURIComponent(text)}`;
    const { products } = await api(path, undefined, { signal: mine.signal });
    if (mine !== asked) return;
    results = { text, products, state: products.length ? "some" : "none" };
    now.products = products;
    now.told = false;
  } catch (error) {
    if (error.name === "AbortError" || mine !== asked) return;
    results = { text, products: [], state: "failed" };
  }
  drawResults();
  clearTimeout(typing);
  typing = setTimeout(() => say($("search-count").textContent || $("search-hint").textContent), 700);
}

function drawResults() {
  const { text, products, state } = results, count = products.length;
  const hint = { empty: "search.hint", none: "search.none", failed: "search.failed" }[state];
  $("search-hint").hidden = !hint;
  if (hint) $("search-hint").textContent = t(hint, { text });
  $("search-count").textContent = !count ? "" : count === 1 ? t("search.count.one")
    : t(count < LISTED ? "search.count.other" : "search.count.more", { count });
  $("search-list").replaceChildren(...products.map((each) => card(each, (chosen) => {
    tell(chosen.sku);
    openProduct(chosen, "search");
  }, true)));
  clearTimeout(pausing);
  pausing = setTimeout(() => fetchPictures($("search-list")), PAUSE_MS);
  $("search-results").scrollTop = 0;
}

function layout(kind) {
  $("search-list").className = kind;
  $("as-grid").setAttribute("aria-pressed", String(kind === "grid"));
  $("as-list").setAttribute("aria-pressed", String(kind === "list"));
}

// ---------------------------------------------------------------- what came of an offer

/** Tell the device which of the offered products was wanted; empty for none of them. */
function tell(sku) {
  if (now.told || !now.kiosk) return;
  now.told = true;
  const text = now.view === "search" ? results.text : "";
  const offered = now.products.slice(0, 16).map((each) => each.sku);
  if (sku && !offered.includes(sku)) offered[offered.length - 1] = sku;
  api("/api/kiosks/choice", { camera: now.kiosk.camera, text, offered, sku }).catch(() => {});
}

function leaveOffer() {
  if (now.view === "choice" || (now.view === "search" && results.text)) tell("");
}

// ---------------------------------------------------------------- what the device says

function heard(kiosk) {
  if (!now.kiosk || kiosk.camera !== now.kiosk.camera) return;
  now.kiosk = kiosk;
  notice();
  if (kiosk.number === now.number) return;
  now.number = kiosk.number;
  const busy = Date.now() - now.touched < BUSY_MS;
  if (kiosk.mood === "known") {
    leaveOffer();
    openProduct(kiosk.products[0], "");
    say([t("answer.said", { name: nameOf(now.product) }), where(now.product)].join(" "));
  } else if (busy || now.view === "search") {
    return;
  } else if (kiosk.mood === "ambiguous") {
    now.products = kiosk.products;
    now.told = false;
    now.product = null;
    drawChoice();
    show("choice");
    say(t("choice.said", { names: kiosk.products.map(nameOf).join(", ") }));
  } else if (kiosk.mood === "unknown") {
    leaveOffer();
    now.product = null;
    show("unknown");
    say(t("unknown.title"));
  } else if (kiosk.mood === "presence" && now.view === "attract") {
    show("look");
  } else if (kiosk.mood === "idle" && now.view === "look") {
    show("attract");
  }
}

function notice() {
  const camera = Boolean(now.kiosk && now.kiosk.online);
  const key = !now.online ? "notice.away" : camera ? "" : "notice.camera";
  $("notice").hidden = !key;
  if (key && $("notice").textContent !== t(key)) $("notice").textContent = t(key);
  $("attract-lead").textContent = t(camera ? "attract.lead" : "attract.blind");
  $("start-words").textContent = t(camera ? "attract.search" : "unknown.search");
  document.body.classList.toggle("blind", !camera);
}

async function catchUp() {
  const { kiosks } = await api("/api/kiosks");
  const camera = wanted.get("camera");
  const mine = kiosks.find((each) => !camera || each.camera === camera) ?? null;
  now.online = true;
  now.kiosk ??= mine;
  if (mine) heard(mine);
  notice();
  // The first search of a release opens its words: no customer is to wait for that.
  api("/api/products?limit=1&text=aa").catch(() => {});
}

function connected(is) {
  if (is) return catchUp().catch(() => {});
  now.online = false;
  notice();
}

function rest() {
  if (now.view === "attract" || now.view === "look") return;
  const quiet = Date.now() - Math.max(now.touched, now.shown);
  const held = now.online && now.kiosk && !["idle", "presence"].includes(now.kiosk.mood) && now.view !== "search";
  if (quiet > (now.kiosk?.idle_s ?? 25) * 1000 && !held) home();
}

// ---------------------------------------------------------------- begin

function wire() {
  for (const id of ["start-search", "look-search", "unknown-search", "product-wrong"]) $(id).onclick = () => openSearch();
  $("home").onclick = home;
  $("choice-none").onclick = () => { tell(""); show("unknown"); };
  $("product-back").onclick = () => { now.product = null; show("search"); };
  $("search-text").oninput = typed;
  $("search-text").onpointerdown = () => showKeys(true);
  $("search-clear").onclick = () => { $("search-text").value = ""; typed(); $("search-text").focus(); };
  $("search-form").onsubmit = (event) => {
    event.preventDefault();
    if (results.products.length === 1) { tell(results.products[0].sku); openProduct(results.products[0], "search"); }
    else showKeys(false);
  };
  $("as-grid").onclick = () => layout("grid");
  $("as-list").onclick = () => layout("list");
  for (const moved of ["touchmove", "wheel"]) $("search-results").addEventListener(moved, () => showKeys(false), { passive: true });
  const touch = () => { now.touched = Date.now(); };
  document.addEventListener("pointerdown", touch, { passive: true });
  document.addEventListener("wheel", touch, { passive: true });
  document.addEventListener("keydown", (event) => {
    touch();
    if (event.key === "Escape" && now.view !== "attract") return home();
    // A barcode scanner types; so does who finds a keyboard.
    const letter = [...event.key].length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (letter && now.view !== "search") { event.preventDefault(); openSearch(event.key); }
  });
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text").trim().slice(0, 200);
    if (text && now.view !== "search") { event.preventDefault(); openSearch(text); }
  });
  window.addEventListener("resize", () => now.product && drawPlan(now.product));
  document.addEventListener("contextmenu", (event) => event.target.closest("input") || event.preventDefault());
}

async function begin() {
  wire();
  for (;;) {
    try {
      await catchUp();
      break;
    } catch {
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
  if (now.kiosk?.plan) {
    const answer = await fetch(`/api/kiosks/${encodeURIComponent(now.kiosk.camera)}/plan`).catch(() => null);
    if (answer && answer.ok) now.plan = parsePlan(await answer.text());
  }
  drawLanguages();
  await speak(wanted.get("language") || ownLanguage());
  show(now.view, { focus: false });
  listen({ kiosk: heard }, connected);
  setInterval(rest, 500);
  document.body.dataset.ready = "yes";
}

begin();
