// The live page: what each camera shows, what is told, and how the device is.
import { api, clock, h, has, head, listen, number, percent, speak, t } from "/pages/shared.js";

const EVENTS = 60; // rows that are kept
const PAUSE_MS = 200; // between two pictures of one camera: the device encodes five a second
const SIDES = [320, 480, 640, 960, 1280];

const cameras = new Map(); // name → Camera
let states = {}; // topic below the device → what is true of it
const place = (id) => document.getElementById(id);

class Camera {
  constructor(name) {
    this.name = name;
    this.scenes = new Map(); // number of its picture → scene, the latest few
    this.busy = false;
    this.due = false;
    this.visible = true;
    this.state = h("span", { class: "badge" });
    this.image = h("img", { alt: t("picture-of", { camera: name }), hidden: true });
    this.nothing = h("p", { class: "nothing" }, t("no-picture"));
    this.lines = h("svg:svg", { "aria-hidden": "true", preserveAspectRatio: "none" });
    this.labels = h("div", { "aria-hidden": "true" });
    this.stage = h("div", { class: "stage" }, this.image, this.lines, this.labels, this.nothing);
    this.things = h("ul", { class: "things", tabindex: "0", "aria-label": t("things-in", { camera: name }) });
    this.states = h("div", { class: "states" });
    this.card = h(
      "article",
      { class: "card camera", "data-camera": name },
      h("header", {}, h("h2", {}, name), this.state),
      this.stage,
      this.things,
      this.states,
    );
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible) this.load();
    }).observe(this.stage);
  }

  show(scene) {
    this.scenes.set(String(scene.picture ?? "none"), scene);
    while (this.scenes.size > 8) this.scenes.delete(this.scenes.keys().next().value);
    this.latest = scene;
    this.list(scene);
    if (scene.picture === null) this.draw(scene);
    else this.load();
  }

  /** As wide as there is room for, and no higher than the window. */
  shape(width, height) {
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.setProperty("--ratio", width / height);
  }

  /** The next picture, when the one before has come: a slow line gets fewer, never a queue. */
  async load() {
    if (!this.latest && !this.seen) return; // it has shown nothing yet
    if (this.busy || !this.visible || document.hidden) {
      this.due = true;
      return;
    }
    this.busy = true;
    this.due = false;
    const began = performance.now();
    try {
      const wanted = this.stage.clientWidth * Math.min(devicePixelRatio, 2);
      const side = SIDES.find((each) => each >= wanted) ?? SIDES.at(-1);
      const answer = await fetch(`/api/cameras/${encodeURIComponent(this.name)}/picture?side_px=${side}`);
      if (answer.ok) await this.put(await answer.blob(), answer.headers.get("etag"));
    } catch {
      // the device is away; the banner says so
    }
    const rest = PAUSE_MS - (performance.now() - began);
    if (rest > 0) await new Promise((done) => setTimeout(done, rest));
    this.busy = false;
    if (this.due) this.load();
  }

  async put(blob, tag) {
    const url = URL.createObjectURL(blob);
    const before = this.image.src;
    this.image.src = url;
    await this.image.decode().catch(() => {});
    this.image.hidden = false;
    if (before) URL.revokeObjectURL(before);
    const scene = this.scenes.get((tag ?? "").replaceAll('"', "")) ?? this.latest;
    if (scene) this.draw(scene);
  }

  draw(scene) {
    const { width, height } = scene;
    this.nothing.hidden = !this.image.hidden;
    if (!width) {
      this.lines.replaceChildren();
      this.labels.replaceChildren();
      return;
    }
    this.shape(width, height);
    this.lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.lines.replaceChildren(
      ...scene.things.map((thing) =>
        h("svg:polygon", { class: thing.verdict, points: corners(thing).map((each) => each.join(",")).join(" ") }),
      ),
    );
    const named = scene.things.filter((thing) => thing.verdict !== "undecided" && wide(thing, width));
    this.labels.replaceChildren(...named.map((thing) => label(thing, width, height)));
  }

  list(scene) {
    const rows = scene.things.map((thing) =>
      h(
        "li",
        {},
        h("span", { class: "place clip", title: thing.region || null }, thing.region || `#${thing.track.slice(0, 4)}`),
        h("span", { class: `wrap ${thing.verdict}`, dir: "auto" }, said(thing)),
        h("span", { class: "sure" }, thing.probability === null ? "" : percent(thing.probability)),
      ),
    );
    if (!rows.length) rows.push(h("li", {}, h("span", { class: "dim" }, t("nothing-in-sight"))));
    this.things.replaceChildren(...rows);
  }

  tell(states) {
    const status = states[`${this.name}/status`];
    if (status) {
      const tone = { online: "good", paused: "warn" }[status.state] ?? "bad";
      this.state.className = `badge ${tone}`;
      this.state.textContent = t(`state-${status.state}`);
      this.state.title = status.reason;
      if (status.state !== "online") {
        this.nothing.textContent = status.reason || t(`state-${status.state}`);
        this.nothing.hidden = false;
        this.image.hidden = true;
        this.lines.replaceChildren();
        this.labels.replaceChildren();
      }
      this.stage.classList.toggle("dark", status.state !== "online");
    }
    const others = Object.entries(states).filter(
      ([topic, state]) => topic.startsWith(`${this.name}/`) && topic !== `${this.name}/status` && state?.state,
    );
    this.states.replaceChildren(
      ...others.map(([topic, state]) =>
        h("span", { class: "badge" }, `${topic.slice(this.name.length + 1)}: ${state.state}`),
      ),
    );
    this.states.hidden = !others.length;
  }
}

function corners(thing) {
  if (thing.quad) return thing.quad;
  const [x1, y1, x2, y2] = thing.box;
  return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
}

function said(thing) {
  if (thing.verdict === "known") return thing.name || thing.sku;
  const best = thing.options.map((each) => each.name || each.sku);
  if (thing.verdict === "ambiguous" && best.length) return t("ambiguous", { names: best.slice(0, 2).join(" / ") });
  return t(thing.verdict);
}

function label(thing, width, height) {
  const [x1, y1, x2] = thing.box;
  const text = thing.verdict === "known" ? `${said(thing)} · ${percent(thing.probability)}` : said(thing);
  const made = h("span", { class: `label ${thing.verdict}`, dir: "auto" }, text);
  made.style.left = `${Math.max(0, (x1 / width) * 100)}%`; // physical sides: a picture is not mirrored
  made.style.top = `${Math.max(0, (y1 / height) * 100)}%`;
  made.style.maxWidth = `${((Math.min(x2, width) - Math.max(x1, 0)) / width) * 100}%`;
  return made;
}

/** Whether a name fits above a box; the list below the picture has all of them. */
function wide(thing, width) {
  return thing.box[2] - thing.box[0] >= 0.08 * width;
}

function told({ topic, payload }) {
  const what = topic.split("/").slice(3).join("/");
  const line = payload.phase ? recognised(payload) : happened(payload, what);
  if (!line) return;
  place("no-events").hidden = true;
  const list = place("events");
  list.prepend(
    h(
      "li",
      {},
      h("time", { datetime: payload.time }, clock(payload.time)),
      h("p", { dir: "auto" }, line.text),
      line.tone ? h("span", { class: `badge ${line.tone}` }, line.mark) : "",
      h("p", { class: "dim wrap" }, line.where),
    ),
  );
  while (list.children.length > EVENTS) list.lastElementChild.remove();
}

function recognised(payload) {
  const where = [payload.camera, payload.region].filter(Boolean).join(" · ");
  const thing = { ...payload, options: payload.options ?? [] };
  const tone = { known: "good", ambiguous: "warn", unknown: "bad" }[payload.verdict];
  if (payload.phase === "end") return { text: t("left", { name: said(thing) }), where, tone: "", mark: "" };
  return { text: said(thing), where, tone, mark: percent(payload.probability) };
}

function happened(payload, what) {
  const name = payload.event ?? payload.state ?? what;
  const key = `event-${name}`;
  return { text: has(key) ? t(key) : String(name).replaceAll("_", " "), where: what, tone: "", mark: "" };
}

let said_last = null;

function status(body = said_last) {
  said_last = body;
  place("device").textContent = `${body.site} / ${body.device}`;
  place("version").textContent = t("version", { version: body.version, release: body.release || "–" });
  document.title = `${body.device} – Spotter`;
  const causes = body.causes.map((cause) => `${cause.part}: ${cause.reason}`);
  for (const name of cameras.keys()) {
    const { state, reason } = states[`${name}/status`] ?? {};
    if (state === "offline" || state === "stalled") causes.push(`${name}: ${reason || t(`state-${state}`)}`);
  }
  const state = body.health === "ok" && causes.length ? "degraded" : body.health;
  const health = place("health");
  health.className = `badge ${{ ok: "good", degraded: "warn" }[state] ?? "bad"}`;
  health.textContent = t(`health-${state}`);
  const broker = place("broker");
  broker.className = `badge ${body.broker ? "good" : "warn"}`;
  broker.textContent = t(body.broker ? "connected" : "away");
  const shown = [...place("causes").children].map((each) => each.textContent);
  if (causes.join("\n") !== shown.join("\n")) {
    place("causes").replaceChildren(...causes.map((cause) => h("p", { class: "wrap" }, cause)));
  }
  if (place("figures").open) numbers(body.figures);
  place("tiles").replaceChildren(...tiles(body).map(([value, name]) => tile(value, name)));
}

function tiles({ figures, uptime_s }) {
  const sum = (head) =>
    Object.entries(figures).reduce((all, [name, value]) => (name.startsWith(head) ? all + value : all), 0);
  const looks = (figures["regions.embedded"] ?? 0) + (figures["regions.reused"] ?? 0);
  return [
    [number(sum("frames.recognised.")), t("frames")],
    [number(sum("frames.dropped.")), t("dropped")],
    [looks ? percent((figures["regions.reused"] ?? 0) / looks) : "–", t("reused")],
    ["step.p50_ms" in figures ? `${number(figures["step.p50_ms"])} ms` : "–", t("step")],
    ["step.p95_ms" in figures ? `${number(figures["step.p95_ms"])} ms` : "–", t("step95")],
    [number(figures["outbox.waiting"] ?? 0), t("waiting")],
    [`${number(figures["memory.resident_mb"] ?? 0)} MB`, t("memory")],
    [duration(uptime_s), t("uptime")],
  ];
}

/** Everything that the device counts, by the names that it has over MQTT. */
function numbers(figures) {
  const rows = Object.entries(figures).sort(([a], [b]) => a.localeCompare(b));
  place("rows").replaceChildren(
    ...rows.map(([name, value]) =>
      h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, number(value, Number.isInteger(value) ? 0 : 3))),
    ),
  );
}

function tile(value, name) {
  return h("div", { class: "card tile" }, h("b", { class: "number", title: value, dir: "auto" }, value), h("span", { class: "dim" }, name));
}

function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return days ? t("days", { days, hours }) : hours ? t("hours", { hours, minutes }) : t("minutes", { minutes });
}

function stated(body) {
  states = body.states;
  for (const camera of cameras.values()) camera.tell(states);
  status();
}

async function arrange() {
  const { cameras: listed } = await api("/api/cameras");
  const names = listed.map((each) => each.camera);
  for (const name of [...cameras.keys()].filter((each) => !names.includes(each))) {
    cameras.get(name).card.remove();
    cameras.delete(name);
  }
  for (const { camera, width, height } of listed) {
    if (!cameras.has(camera)) {
      const made = new Camera(camera);
      if (width) made.shape(width, height);
      cameras.set(camera, made);
      place("cameras").append(made.card);
      made.tell(states);
      made.seen = width > 0;
      made.load();
    }
  }
}

let stop = null;

/** Nobody looks at a page that is hidden: the device then has nothing to do for it. */
function look() {
  if (document.hidden) {
    stop?.();
    stop = null;
  } else if (!stop) {
    stop = listen(
      {
        scene: (body) => (cameras.has(body.camera) ? cameras.get(body.camera).show(body) : arrange()),
        told,
        status,
        states: (body) => {
          const known = Object.keys(body.states).filter((topic) => topic.endsWith("/status"));
          if (known.some((topic) => !cameras.has(topic.split("/")[0]))) arrange();
          stated(body);
        },
      },
      (connected) => {
        place("offline").hidden = connected;
      },
    );
  }
}

await speak("live");
await head("/");
status(await api("/api/status"));
await arrange();
stated(await api("/api/states"));
for (const event of (await api("/api/recognitions?limit=30")).events.reverse()) told(event);
look();
document.addEventListener("visibilitychange", look);
place("figures").addEventListener("toggle", () => status());
