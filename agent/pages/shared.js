// What all pages use. Nothing from the device becomes HTML: text is set as text.

/** An element: `h("p", { class: "dim" }, "text", other)`. Properties that begin with `on` are listeners. */
export function h(tag, properties = {}, ...children) {
  const svg = tag.startsWith("svg:");
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** What the device refuses: `status`, and one sentence. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Ask the API. With a `body` it is a POST: an object, or a Blob that is a picture. */
export async function api(path, body = undefined, options = {}) {
  const request = { headers: { accept: "application/json" }, ...options };
  if (body !== undefined) {
    const blob = body instanceof Blob;
    request.method = "POST";
    request.headers = { "x-spotter": "1", "content-type": blob ? body.type : "application/json" };
    request.body = blob ? body : JSON.stringify(body);
  }
  const answer = await fetch(path, request);
  if (answer.ok) return answer.json();
  let detail = answer.statusText;
  try {
    detail = (await answer.json()).detail;
  } catch {
    // no problem document: somebody in between answered
  }
  if (answer.status === 401 && !location.pathname.startsWith("/login")) {
    location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
  }
  throw new Refused(answer.status, detail);
}

/**
 * Server-sent events: `listen({ scene(body) {}, told(body) {} }, (connected) => {})`. How to stop it.
 * The browser comes again by itself when it was sent away or the device was restarted.
 */
export function listen(handlers, connected = () => {}) {
  let source = null;
  let timer = 0;
  let pause = 1000;
  function open() {
    source = new EventSource("/api/events");
    source.onopen = () => {
      pause = 1000;
      connected(true);
    };
    source.onerror = () => {
      connected(false);
      if (source.readyState === EventSource.CLOSED) {
        timer = setTimeout(open, pause); // it was refused: a browser does not try that again
        pause = Math.min(pause * 2, 30000);
      }
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", zh: "中文" };
let words = {};

/** Load the texts in the language of the browser, or in one that was picked; `section` is of this page. */
export async function speak(section, picked = "") {
  const wanted = [picked, stored("language"), ...navigator.languages].filter(Boolean);
  const language = wanted.map((each) => each.toLowerCase().split("-")[0]).find((each) => each in LANGUAGES) ?? "en";
  if (picked) store("language", language);
  const all = await (await fetch(`/pages/text/${language}.json`)).json();
  words = { ...all.common, ...all[section] };
  document.documentElement.lang = language;
  document.documentElement.dir = all.common.direction ?? "ltr";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  return language;
}

/** A text by its key, `{name}` in it replaced. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there is a text with this key. */
export function has(key) {
  return key in words;
}

/** The head of a page: which device, and the pages that this role may open. */
export async function head(current) {
  const session = await api("/api/session");
  const nav = document.querySelector(".top nav");
  nav.replaceChildren(
    ...session.pages.map((path) =>
      h("a", { href: path, "aria-current": path === current ? "page" : null }, t(`page${path}`)),
    ),
  );
  if (session.password && session.role !== "nobody") {
    nav.append(
      h("button", { class: "button", type: "button", onclick: leave }, t("logout")),
    );
  }
  return session;
}

async function leave() {
  await api("/api/logout", {});
  location.assign("/login");
}

/** A number with the language's own signs. */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(document.documentElement.lang, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

/** `percent(0.5)` → `50 %`. */
export function percent(share) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(share);
}

/** The time of day of an RFC 3339 text. */
export function clock(time) {
  return new Date(time).toLocaleTimeString(document.documentElement.lang, { hour12: false });
}

function stored(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // a browser that keeps nothing asks again
  }
}
