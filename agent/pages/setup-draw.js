// Places on a picture that are drawn, moved and bent with a pointer, a finger or the keyboard.
import { h, t } from "/pages/shared.js";

const LEAST = 8; // pixels of a side: less shows nothing
const REACH = matchMedia("(pointer: coarse)").matches ? 22 : 10; // CSS pixels that a finger, or a mouse, may miss a corner by
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A place: `{ key, name, was, sku, kind: "box" | "quad" | "zone", corners: [[x, y] × 4], seen }`, in pixels. */
export class Board {
  /** `changed(done)`: something was drawn; `done` is false while it is still being drawn. */
  constructor(svg, { changed, picked, before }) {
    Object.assign(this, { svg, changed, picked, before });
    this.places = [];
    this.pick = null;
    this.width = this.height = 0;
    this.kind = "box";
    this.naming = () => "";
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.#up(event));
    svg.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  shape(width, height) {
    this.width = width;
    this.height = height;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.draw();
  }

  select(place, focus = false) {
    this.pick = place;
    this.draw();
    this.picked(place);
    if (focus && place) this.svg.querySelector(`[data-key="${place.key}"]`)?.focus();
  }

  /** One in the middle, for whoever draws without a pointer. */
  add() {
    const w = this.kind === "zone" ? 0.8 : 0.25;
    const [x1, y1, x2, y2] = [(1 - w) / 2, (1 - w) / 2, (1 + w) / 2, (1 + w) / 2];
    this.before();
    const place = this.#made([Math.round(x1 * this.width), Math.round(y1 * this.height)], [Math.round(x2 * this.width), Math.round(y2 * this.height)]);
    this.select(place, true);
    this.changed(true);
  }

  remove(place) {
    this.before();
    this.places = this.places.filter((each) => each !== place);
    this.select(null);
    this.changed(true);
  }

  draw() {
    if (!this.width) return;
    const scale = this.width / (this.svg.clientWidth || this.width);
    const active = document.activeElement?.closest?.("[data-focus]")?.dataset.focus;
    const shapes = this.places.map((place) => this.#drawn(place, scale));
    const grips = this.pick && this.places.includes(this.pick) ? this.pick.corners.map((_, number) => this.#grip(number, scale)) : [];
    this.svg.replaceChildren(...shapes, ...grips);
    if (active) this.svg.querySelector(`[data-focus="${active}"]`)?.focus({ preventScroll: true });
  }

  #drawn(place, scale) {
    const [x, y] = place.corners.reduce((best, each) => (each[1] + each[0] < best[1] + best[0] ? each : best));
    const label = place.kind === "zone" ? t("zone") : place.name;
    const said = [label, place.sku, place.seen?.text].filter(Boolean).join(", ");
    return h(
      "svg:g",
      {
        class: `place ${place.kind} ${place.seen?.verdict ?? ""} ${place === this.pick ? "picked" : ""}`,
        tabindex: 0,
        role: "button",
        "aria-pressed": String(place === this.pick),
        "aria-label": said,
        "data-key": place.key,
        "data-focus": `place-${place.key}`,
      },
      h("svg:polygon", { points: place.corners.map((each) => each.join(",")).join(" ") }),
      h("svg:text", { x: x + 6 * scale, y: y + 18 * scale, "font-size": 14 * scale, "stroke-width": 3 * scale }, label),
    );
  }

  #grip(number, scale) {
    const [x, y] = this.pick.corners[number];
    return h(
      "svg:g",
      {
        class: "grip",
        tabindex: 0,
        role: "button",
        "aria-label": t("corner", { number: number + 1, name: this.pick.kind === "zone" ? t("zone") : this.pick.name }),
        "data-corner": number,
        "data-focus": `corner-${number}`,
      },
      h("svg:circle", { class: "reach", cx: x, cy: y, r: REACH * scale }),
      h("svg:circle", { class: "dot", cx: x, cy: y, r: 7 * scale }),
    );
  }

  #made(from, to) {
    const place = { key: `${Date.now()}-${Math.random()}`, name: this.naming(), was: "", sku: "", kind: this.kind, corners: boxed(from, to), touched: true };
    if (this.kind === "zone") this.places = [];
    this.places.push(place);
    return place;
  }

  #at(event) {
    const frame = this.svg.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * this.width;
    const y = ((event.clientY - frame.top) / frame.height) * this.height;
    return [Math.round(x), Math.round(y)];
  }

  #down(event) {
    if (!this.width || event.button !== 0 || !this.kind) return;
    const at = this.#at(event);
    const grip = event.target.closest("[data-corner]");
    const group = event.target.closest("[data-key]");
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    if (grip) this.drag = { how: "bend", corner: Number(grip.dataset.corner), place: this.pick };
    else if (group) {
      const place = this.places.find((each) => String(each.key) === group.dataset.key);
      this.select(place, true);
      this.drag = { how: "shift", place };
    } else this.drag = { how: "make", place: null };
    Object.assign(this.drag, { from: at, corners: this.drag.place?.corners, moved: false });
  }

  #move(event) {
    const drag = this.drag;
    if (!drag) return;
    const at = this.#at(event);
    const [dx, dy] = [at[0] - drag.from[0], at[1] - drag.from[1]];
    if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 3) return;
    if (!drag.moved) this.before();
    drag.moved = true;
    if (drag.how === "make") {
      const to = within(at, this.width, this.height);
      if (!drag.place) {
        drag.place = this.#made(drag.from, to);
        this.select(drag.place);
      }
      drag.place.corners = boxed(within(drag.from, this.width, this.height), to);
    } else if (drag.how === "shift") this.#shift(drag.place, drag.corners, dx, dy);
    else this.#bend(drag.place, drag.corners, drag.corner, dx, dy);
    this.draw();
    this.changed(false);
  }

  #up() {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    if (!drag.moved) {
      if (drag.how === "make") this.select(null);
      return;
    }
    const [[x1, y1], , [x2, y2]] = drag.place.corners;
    if (drag.how === "make" && (Math.abs(x2 - x1) < LEAST || Math.abs(y2 - y1) < LEAST)) {
      this.places = this.places.filter((each) => each !== drag.place); // a slip of the finger
      this.select(null);
    } else this.select(drag.place, drag.how === "make");
    this.changed(true);
  }

  #key(event) {
    const step = STEPS[event.key];
    const grip = event.target.closest("[data-corner]");
    const group = event.target.closest("[data-key]");
    const place = group ? this.places.find((each) => String(each.key) === group.dataset.key) : this.pick;
    if (!place) return;
    if (step) {
      const far = event.shiftKey ? 10 : 1;
      event.preventDefault();
      this.before();
      if (grip) this.#bend(place, place.corners, Number(grip.dataset.corner), step[0] * far, step[1] * far);
      else this.#shift(place, place.corners, step[0] * far, step[1] * far);
      this.draw();
      this.changed(true);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove(place);
    } else if (group && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      this.select(place, true);
    }
  }

  #shift(place, corners, dx, dy) {
    const xs = corners.map((each) => each[0]);
    const ys = corners.map((each) => each[1]);
    const right = clamp(dx, -Math.min(...xs), this.width - Math.max(...xs));
    const down = clamp(dy, -Math.min(...ys), this.height - Math.max(...ys));
    place.corners = corners.map(([x, y]) => [x + right, y + down]);
    place.touched = true;
  }

  #bend(place, corners, number, dx, dy) {
    const at = within([corners[number][0] + dx, corners[number][1] + dy], this.width, this.height);
    if (place.kind === "quad") {
      const bent = corners.map((each, other) => (other === number ? at : each));
      if (!convex(bent)) return;
      place.corners = bent;
    } else {
      const [ax, ay] = corners[(number + 2) % 4]; // stays
      if (Math.abs(at[0] - ax) < LEAST || Math.abs(at[1] - ay) < LEAST) return;
      if (at[0] > ax !== corners[number][0] > ax || at[1] > ay !== corners[number][1] > ay) return; // not inside out
      place.corners = boxed([ax, ay], at);
    }
    place.touched = true;
  }
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const within = ([x, y], width, height) => [clamp(x, 0, width), clamp(y, 0, height)];

/** Corners clockwise from the top left. */
export function boxed([ax, ay], [bx, by]) {
  const [x1, x2, y1, y2] = [Math.min(ax, bx), Math.max(ax, bx), Math.min(ay, by), Math.max(ay, by)];
  return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]];
}

function convex(corners) {
  return corners.every(([ax, ay], n) => {
    const [bx, by] = corners[(n + 1) % 4];
    const [cx, cy] = corners[(n + 2) % 4];
    return (bx - ax) * (cy - by) - (by - ay) * (cx - bx) > 0;
  });
}
