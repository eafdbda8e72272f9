// The set-up page: where to look is drawn on the picture and written into the configuration.
import { api, h, head, listen, percent, speak, t } from "/pages/shared.js";
import { Board, boxed } from "/pages/setup-draw.js";
import { Teaching, combo, watchMeter, whatIf } from "/pages/setup-side.js";

const PICTURE_MS = 400;
const LOOK_MS = 3000; // between two looks at what is drawn, while nothing changes
const SETTLE_MS = 250; // after a change
const LOOKED_AT = 32;
const SIDES = [320, 480, 640, 960, 1280, 1920];
const SHAPES = new Set(["slots", "motion", "detector"]);
const MODES = ["slots", "motion", "whole"];
const LAYERS = { shelf: ["shelf", "masks"], kiosk: ["look", "masks"], inbound: ["look", "masks"], watch: ["look", "shelf", "masks"] };

const place = (id) => document.getElementById(id);
let camera = "";
let laid = null; // as the file has it
let layer = "look"; // what is drawn: where to look, a planogram, or what nobody is to see
let kept = ""; // what would be said of what the file has
let past = []; // what undo goes back to
let shown = ""; // address of the picture that is shown

const board = new Board(place("board"), { before: remember, changed, picked });
board.naming = () => {
  const names = new Set(board.places.map((each) => each.name));
  const named = (number) => (layer === "masks" ? t("mask", { number }) : `s${number}`);
  let number = board.places.length + 1;
  while (names.has(named(number))) number += 1;
  return named(number);
};
const teaching = new Teaching(() => ({ camera, place: board.pick && looksAt(board.pick) ? asked(board.pick) : null }));

// --- what is drawn, and what the file says -------------------------------------------------------------------

function scale() {
  const unit = { look: laid.unit, shelf: laid.shelf?.unit ?? "px", masks: "share" }[layer];
  return unit === "share" ? [board.width, board.height] : [1, 1];
}

/** Whether it is a place where products are looked for. */
const looksAt = (each) => each.kind === "box" || each.kind === "quad";

function drawn(each, index) {
  const [w, h_] = scale();
  const corners = each.box ? boxed([each.box[0], each.box[1]], [each.box[2], each.box[3]]) : each.quad;
  return {
    key: `f${index}`,
    name: each.name,
    was: each.was,
    sku: each.sku,
    facings: each.facings ?? 1,
    minimum: each.minimum ?? 1,
    kind: each.box ? "box" : "quad",
    corners: corners.map(([x, y]) => [x * w, y * h_]),
    file: each,
    touched: false,
  };
}

/** A place as the file keeps it: what was not moved keeps its very numbers. */
function written(each) {
  const said = { name: each.name, was: each.was, sku: each.sku };
  if (layer === "shelf") Object.assign(said, { facings: each.facings ?? 1, minimum: each.minimum ?? 1 });
  if (!each.touched && each.file) return each.file.box ? { ...said, box: each.file.box } : { ...said, quad: each.file.quad };
  const [w, h_] = scale();
  const corners = each.corners.map(([x, y]) => [rounded(x / w), rounded(y / h_)]);
  return each.kind === "quad" ? { ...said, quad: corners } : { ...said, box: [...corners[0], ...corners[2]] };
}

const rounded = (value) => Math.round(value * 1e5) / 1e5;

/** A place as the device is asked about it: in pixels. */
function asked(each) {
  const flat = [...each.corners[0], ...each.corners[2]];
  return each.kind === "quad" ? { name: "x", quad: each.corners } : { name: "x", box: flat };
}

function said() {
  if (layer === "masks") return { camera, etag: laid.etag, masks: board.places.map((each) => written(each).box) };
  if (layer === "shelf") return { camera, etag: laid.etag, places: board.places.map(written) };
  const mode = place("mode").value;
  const zone = board.places.find((each) => each.kind === "zone");
  return {
    camera,
    etag: laid.etag,
    mode,
    places: mode === "slots" ? board.places.map(written) : [],
    zone: SHAPES.has(mode) && mode !== "slots" && zone ? (zone.touched ? written(zone).box : laid.zone) : null,
  };
}

function isChanged() {
  return Boolean(laid) && JSON.stringify({ ...said(), etag: "" }) !== kept;
}

function remember() {
  past.push(JSON.stringify([place("mode").value, board.places]));
  if (past.length > 100) past.shift();
}

function undo() {
  const before = past.pop();
  if (!before) return;
  const [mode, places] = JSON.parse(before);
  place("mode").value = mode;
  board.places = places;
  arrange();
  board.select(null);
  changed(true);
}

function changed(done) {
  place("save").disabled = !isChanged();
  place("undo").disabled = !past.length;
  if (!done) return;
  place("said").textContent = isChanged() ? t("unsaved") : "";
  place("refused").textContent = "";
  list();
  lookSoon(SETTLE_MS);
}

/** What can be drawn in this mode. */
function arrange() {
  const mode = place("mode").value;
  const slots = layer === "shelf" || (layer === "look" && mode === "slots");
  const zone = layer === "look" && !slots && SHAPES.has(mode);
  place("modes").hidden = layer !== "look";
  place("shapes").hidden = !slots;
  place("add").hidden = !slots && !zone && layer !== "masks";
  board.kind = slots ? document.querySelector("[name=shape]:checked").value : layer === "masks" ? "mask" : zone ? "zone" : "";
  place("add").textContent = t(slots ? "add" : layer === "masks" ? "add-mask" : "add-zone");
  place("hint").textContent = t(`hint-${layer !== "look" ? layer : slots ? "slots" : zone ? "zone" : "none"}`);
  place("places-title").textContent = t(layer === "masks" ? "masks" : "places");
  place("of-place").hidden = layer === "masks";
  place("of-shelf").hidden = layer !== "shelf";
  place("product-label").textContent = t(layer === "shelf" ? "product-shelf" : "product");
}

/** What the file has of this layer, on the board. */
function lay() {
  past = [];
  const seen = new Map(board.places.map((each) => [each.name, each.seen]));
  const name = board.pick?.name;
  if (layer === "masks") {
    board.places = laid.masks.map((box, number) => ({ ...drawn({ name: t("mask", { number: number + 1 }), was: "", sku: "", box }, number), kind: "mask" }));
  } else {
    const places = layer === "shelf" ? (laid.shelf?.places ?? []) : laid.places;
    board.places = places.map((each, number) => ({ ...drawn(each, number), seen: seen.get(each.name) }));
    if (layer === "look" && laid.zone) board.places.push({ ...drawn({ name: "", was: "", sku: "", box: laid.zone }, "zone"), kind: "zone" });
  }
  kept = JSON.stringify({ ...said(), etag: "" });
  arrange();
  board.select(board.places.find((each) => each.name === name && each.kind !== "zone") ?? null);
  changed(true);
}

function changeLayer(next) {
  const mode = place("mode");
  if (isChanged() && !confirm(t("leave"))) {
    place("layer").value = layer;
    return;
  }
  layer = next;
  mode.value = mode.dataset.was = laid.mode;
  lay();
}

function changeMode() {
  const mode = place("mode").value;
  const kept = (each) => (mode === "slots" ? each.kind !== "zone" : SHAPES.has(mode) && each.kind === "zone");
  past.push(JSON.stringify([place("mode").dataset.was, board.places]));
  place("mode").dataset.was = mode;
  board.places = board.places.filter(kept);
  arrange();
  board.select(null);
  changed(true);
}

// --- the list beside it --------------------------------------------------------------------------------------

function list() {
  const shapes = board.places.filter((each) => each.kind !== "zone");
  place("no-places").hidden = shapes.length > 0;
  const drawable = layer !== "look" || place("mode").value === "slots";
  place("no-places").textContent = t(layer === "masks" ? "no-masks" : drawable ? "no-places" : "other-mode");
  const focused = document.activeElement?.dataset?.row;
  place("places").replaceChildren(...shapes.map(row));
  if (focused) document.querySelector(`[data-row="${focused}"]`)?.focus();
}

/** What stands behind a name: what is seen there; of a mask, how large it is. */
function beside(each) {
  if (each.kind !== "mask") return each.seen?.text ?? t("looking");
  const [[x1, y1], , [x2, y2]] = each.corners;
  return `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)}`;
}

function row(each) {
  const tone = { known: "good", ambiguous: "warn", unknown: "bad" }[each.seen?.verdict] ?? "";
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", "aria-pressed": String(each === board.pick), "data-row": each.key, onclick: () => board.select(each) },
      h("b", { class: "wrap", dir: "auto" }, each.name),
      h("span", { class: "seen", dir: "auto" }, beside(each)),
      each.kind === "mask" ? "" : h("span", { class: `badge ${tone}` }, each.seen ? percent(each.seen.probability) : "…"),
    ),
  );
}

function picked(each) {
  const isPlace = Boolean(each) && each.kind !== "zone";
  place("editor").hidden = !isPlace;
  if (isPlace) {
    place("name").value = each.name;
    place("sku").value = each.sku;
    place("facings").value = each.facings ?? 1;
    place("minimum").value = each.minimum ?? 1;
  }
  list();
  teaching.point(isPlace && looksAt(each) ? each.name : "");
}

function edit(key, value) {
  if (!board.pick || board.pick[key] === value) return;
  remember();
  board.pick[key] = value;
  board.draw();
  changed(true);
}

// --- what is seen --------------------------------------------------------------------------------------------

let lookTimer = 0;
let looking = false;
let turn = 0; // where there are many, some at each look

function lookSoon(pause) {
  clearTimeout(lookTimer);
  lookTimer = setTimeout(look, pause);
}

async function look() {
  const all = board.places.filter(looksAt);
  turn = turn + LOOKED_AT < all.length ? turn + LOOKED_AT : 0;
  const shapes = all.slice(turn, turn + LOOKED_AT);
  if (looking || document.hidden || board.drag || !shapes.length || !board.width) {
    lookSoon(LOOK_MS);
    return;
  }
  looking = true;
  const of = camera;
  try {
    const places = shapes.map((each, number) => ({ ...asked(each), name: `p${number}` }));
    const { seen } = await api("/api/setup/look", { camera, places });
    if (of !== camera) return;
    seen.forEach((each, number) => {
      shapes[number].seen = { verdict: each.verdict, probability: each.probability, text: told(each) };
    });
    if (!board.drag) board.draw();
    list();
  } catch (error) {
    if (error.status === 400) place("refused").textContent = error.message;
  } finally {
    looking = false;
    lookSoon(LOOK_MS);
  }
}

function told(each) {
  if (each.verdict === "known") return each.product || each.sku;
  const names = each.options.slice(0, 2).map((option) => option.name || option.sku);
  return each.verdict === "ambiguous" && names.length ? t("ambiguous", { names: names.join(" / ") }) : t("unknown");
}

async function pictures() {
  for (;;) {
    if (camera && !document.hidden) {
      try {
        await picture();
      } catch {
        // the device is away: the banner says so
      }
    }
    await new Promise((done) => setTimeout(done, PICTURE_MS));
  }
}

async function picture() {
  const of = camera;
  const wanted = place("stage").clientWidth * Math.min(devicePixelRatio, 2);
  const side = SIDES.find((each) => each >= wanted) ?? SIDES.at(-1);
  const answer = await fetch(`/api/cameras/${encodeURIComponent(camera)}/picture?side_px=${side}`);
  if (!answer.ok || of !== camera) return;
  const next = URL.createObjectURL(await answer.blob());
  place("picture").src = next;
  await place("picture").decode().catch(() => {});
  if (shown) URL.revokeObjectURL(shown);
  shown = next;
  place("picture").hidden = false;
  place("nothing").hidden = true;
  if (laid && !laid.width) await load(); // its size is known from now on
}

// --- loading and saving --------------------------------------------------------------------------------------

function take(layout) {
  laid = layout;
  const mode = place("mode");
  const modes = MODES.includes(laid.mode) ? MODES : [...MODES, laid.mode];
  mode.replaceChildren(...modes.map((each) => h("option", { value: each }, t(`mode-${each}`))));
  mode.value = mode.dataset.was = laid.mode;
  if (laid.width) {
    place("stage").style.aspectRatio = `${laid.width} / ${laid.height}`;
    place("stage").style.setProperty("--ratio", laid.width / laid.height);
    board.shape(laid.width, laid.height);
  }
  lay();
}

async function load() {
  place("refused").textContent = "";
  try {
    take(await api(`/api/setup/${encodeURIComponent(camera)}/layout`));
    place("said").textContent = "";
  } catch (error) {
    place("refused").textContent = error.message;
  }
}

async function save() {
  place("save").disabled = true;
  place("refused").textContent = "";
  try {
    const answer = await api(`/api/setup/${{ look: "layout", shelf: "shelf", masks: "masks" }[layer]}`, said());
    take(answer);
    place("said").textContent = answer.taken_over ? t("saved") : t("saved-only", { reason: answer.reason });
  } catch (error) {
    place("refused").textContent = error.message;
    place("save").disabled = false;
  }
}

async function pickCamera(name) {
  camera = name;
  place("picture").hidden = true;
  place("picture").alt = t("picture-of", { camera });
  place("nothing").hidden = false;
  board.places = [];
  const layers = LAYERS[cameras.find((each) => each.camera === name).application];
  place("layer").replaceChildren(...layers.map((each) => h("option", { value: each }, t(`layer-${each}`))));
  place("layer").value = layer = layers[0];
  board.pick = null;
  await load();
  teaching.forget();
}

await speak("setup");
await head("/setup");
document.title = `${t("page/setup")} – Spotter`;
const { cameras } = await api("/api/cameras");
place("camera").replaceChildren(...cameras.map((each) => h("option", { value: each.camera }, each.camera)));
place("camera").addEventListener("change", (event) => {
  if (isChanged() && !confirm(t("leave"))) event.target.value = camera;
  else pickCamera(event.target.value);
});
place("mode").addEventListener("change", changeMode);
place("layer").addEventListener("change", (event) => changeLayer(event.target.value));
for (const each of document.querySelectorAll("[name=shape]")) each.addEventListener("change", arrange);
place("add").addEventListener("click", () => board.width && board.add());
place("undo").addEventListener("click", undo);
place("load").addEventListener("click", load);
place("save").addEventListener("click", save);
place("remove").addEventListener("click", () => board.pick && board.remove(board.pick));
place("editor").addEventListener("submit", (event) => event.preventDefault());
place("name").addEventListener("input", (event) => edit("name", event.target.value.trim()));
place("sku").addEventListener("input", (event) => edit("sku", event.target.value.trim()));
for (const key of ["facings", "minimum"]) {
  place(key).addEventListener("input", (event) => event.target.checkValidity() && event.target.value && edit(key, Number(event.target.value)));
}
combo(place("sku"), place("skus"), (sku) => edit("sku", sku));
addEventListener("beforeunload", (event) => {
  if (isChanged()) event.preventDefault();
});
await pickCamera(cameras[0].camera);
watchMeter(() => camera);
whatIf(() => camera, {
  etag: () => laid.etag,
  written: (etag) => { laid.etag = etag; },
});
listen({}, (connected) => {
  place("offline").hidden = connected;
});
pictures();
lookSoon(0);
