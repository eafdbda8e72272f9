// The way on the plan of the shop: from "you are here" around the shelves to an aisle or bay.

const CELLS = 72;  // along the longer side: a way of 10 m in a shop of 40 m is 18 steps
const TURN = 4;    // a turn costs as much as so many steps: people walk straight
const SVG = "http://www.w3.org/2000/svg";

/** One text for all ways to write a place, as the server makes `data-place`: ("Aisle 4", "B") → "4-b". */
export function place(...parts) {
  const words = parts.join(" ").normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  return words.filter((word) => word !== "aisle" && word !== "bay").join("-");
}

/** The plan from its text; null where it is none. */
export function parsePlan(text) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return svg.nodeName === "svg" ? document.importNode(svg, true) : null;
}

/**
 * Draw the way into `room`, which is visible. False where the plan has no such place.
 * The bay is shown where the plan has it, else its aisle.
 */
export function showWay(room, plan, aisle, bay, hereText) {
  room.replaceChildren();
  const svg = plan.cloneNode(true);
  const wanted = [bay && aisle ? place(aisle, bay) : "", place(aisle), aisle ? "" : place(bay)].filter(Boolean);
  const targets = wanted.map((name) => svg.querySelector(`[data-place="${CSS.escape(name)}"]`)).filter(Boolean);
  if (!targets.length) return false;
  room.append(svg);
  for (const each of targets) each.classList.add("plan-target");
  const box = svg.viewBox.baseVal;
  const goal = boxOf(svg, targets[0]);
  const here = svg.querySelector('[data-place="here"]');
  if (here) {
    const start = middle(boxOf(svg, here));
    const shelves = [...svg.querySelectorAll("[data-place]")].filter((each) => each !== here).map((each) => boxOf(svg, each));
    drawWay(svg, box, wayAround(box, start, goal, shelves));
    if (!here.classList.contains("plan-here")) drawDot(svg, box, start);
    label(svg, box, start, hereText);
  }
  drawPin(svg, box, middle(goal));
  return true;
}

function boxOf(svg, element) {
  const bounds = element.getBBox();
  const matrix = svg.getScreenCTM().inverse().multiply(element.getScreenCTM());
  const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) =>
    new DOMPoint(bounds.x + x * bounds.width, bounds.y + y * bounds.height).matrixTransform(matrix));
  const xs = corners.map((point) => point.x), ys = corners.map((point) => point.y);
  return { x1: Math.min(...xs), y1: Math.min(...ys), x2: Math.max(...xs), y2: Math.max(...ys) };
}

const middle = (box) => ({ x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 });

/** Points of the way: along free cells of a grid, and from the last one into the goal. */
export function wayAround(view, start, goal, shelves) {
  const step = Math.max(view.width, view.height) / CELLS;
  const columns = Math.max(1, Math.ceil(view.width / step)), rows = Math.max(1, Math.ceil(view.height / step));
  const at = (column, row) => ({ x: view.x + (column + 0.5) * step, y: view.y + (row + 0.5) * step });
  const inside = (point, box, margin) =>
    point.x > box.x1 - margin && point.x < box.x2 + margin && point.y > box.y1 - margin && point.y < box.y2 + margin;
  // A room that is drawn around the kiosk stands in nobody's way.
  const walls = shelves.filter((box) => !inside(start, box, 0));
  const free = new Uint8Array(columns * rows);
  const near = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const point = at(column, row), cell = row * columns + column;
      free[cell] = walls.some((box) => inside(point, box, step * 0.4)) ? 0 : 1;
      const beside = (point.x >= goal.x1 && point.x <= goal.x2) || (point.y >= goal.y1 && point.y <= goal.y2);
      near[cell] = beside && inside(point, goal, step * 1.6) ? 1 : 0;
    }
  }
  const clamp = (value, count) => Math.min(count - 1, Math.max(0, Math.floor(value / step)));
  const from = clamp(start.y - view.y, rows) * columns + clamp(start.x - view.x, columns);
  const cells = search(from, columns, rows, free, near);
  if (!cells) return [start, middle(goal)];
  return corners([start, ...cells.map((cell) => at(cell % columns, Math.floor(cell / columns))), entry(cells, at, columns, goal)]);
}

function entry(cells, at, columns, goal) {
  const last = cells[cells.length - 1], point = at(last % columns, Math.floor(last / columns));
  return { x: Math.min(goal.x2, Math.max(goal.x1, point.x)), y: Math.min(goal.y2, Math.max(goal.y1, point.y)) };
}

/** Dijkstra over (cell, direction): short, and with few turns. */
function search(from, columns, rows, free, near) {
  const moves = [[1, 0], [0, 1], [-1, 0], [0, -1]];
  const cost = new Float64Array(columns * rows * 4).fill(Infinity);
  const before = new Int32Array(columns * rows * 4).fill(-1);
  const buckets = [[]];
  for (let way = 0; way < 4; way++) { cost[from * 4 + way] = 0; buckets[0].push(from * 4 + way); }
  for (let price = 0; price < buckets.length; price++) {
    for (const state of buckets[price] || []) {
      if (cost[state] !== price) continue;
      const cell = state >> 2, way = state & 3;
      if (near[cell] && free[cell]) return trace(before, state);
      const column = cell % columns, row = Math.floor(cell / columns);
      moves.forEach(([dx, dy], turned) => {
        const x = column + dx, y = row + dy;
        if (x < 0 || y < 0 || x >= columns || y >= rows) return;
        const next = y * columns + x;
        if (!free[next] && free[cell]) return;  // out of a shelf one may always walk
        const total = price + 1 + (turned === way ? 0 : TURN), there = next * 4 + turned;
        if (total >= cost[there]) return;
        cost[there] = total;
        before[there] = state;
        (buckets[total] ||= []).push(there);
      });
    }
  }
  return null;
}

function trace(before, state) {
  const cells = [];
  for (let each = state; each >= 0; each = before[each]) cells.unshift(each >> 2);
  return cells.slice(1);
}

function corners(points) {
  const straight = (a, b, c) => Math.abs((b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x)) < 1e-9;
  return points.filter((point, n) => n === 0 || n === points.length - 1 || !straight(points[n - 1], point, points[n + 1]));
}

function drawWay(svg, box, points) {
  const unit = Math.max(box.width, box.height) / 100;
  const d = rounded(points, 2 * unit);
  for (const kind of ["plan-way-edge", "plan-way"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", kind);
    path.setAttribute("d", d);
    path.setAttribute("pathLength", "100");
    path.setAttribute("stroke-width", String((kind === "plan-way" ? 1.1 : 2) * unit));
    svg.append(path);
  }
  const end = points[points.length - 1], before = points[points.length - 2];
  const angle = (Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI;
  const head = document.createElementNS(SVG, "path");
  head.setAttribute("class", "plan-head");
  head.setAttribute("d", `M0 0L${-2.6 * unit} ${-1.7 * unit}L${-1.9 * unit} 0L${-2.6 * unit} ${1.7 * unit}Z`);
  head.setAttribute("transform", `translate(${end.x} ${end.y}) rotate(${angle})`);
  svg.append(head);
}

function rounded(points, radius) {
  let d = `M${points[0].x} ${points[0].y}`;
  for (let n = 1; n < points.length - 1; n++) {
    const [a, b, c] = [points[n - 1], points[n], points[n + 1]];
    const first = toward(b, a, radius), second = toward(b, c, radius);
    d += `L${first.x} ${first.y}Q${b.x} ${b.y} ${second.x} ${second.y}`;
  }
  const end = points[points.length - 1];
  return `${d}L${end.x} ${end.y}`;
}

function toward(from, to, most) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1, share = Math.min(most, length / 2) / length;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function drawPin(svg, box, point) {
  const unit = Math.max(box.width, box.height) / 100;
  const pin = document.createElementNS(SVG, "g");
  pin.setAttribute("class", "plan-pin");
  pin.setAttribute("transform", `translate(${point.x} ${point.y}) scale(${unit})`);
  pin.innerHTML = '<circle class="plan-pulse" r="4"/><path d="M0 0c3-3.4 4.4-5.4 4.4-7.6a4.4 4.4 0 1 0-8.8 0C-4.4-5.4-3-3.4 0 0z"/><circle class="plan-eye" cy="-7.6" r="1.7"/>';
  svg.append(pin);
}

function drawDot(svg, box, point) {
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("class", "plan-here");
  dot.setAttribute("cx", point.x);
  dot.setAttribute("cy", point.y);
  dot.setAttribute("r", Math.max(box.width, box.height) / 70);
  svg.append(dot);
}

function label(svg, box, point, words) {
  const unit = Math.max(box.width, box.height) / 100, text = document.createElementNS(SVG, "text");
  const right = point.x > box.x + box.width * 0.6;
  text.setAttribute("class", "plan-you");
  text.setAttribute("x", point.x + (right ? -2.6 : 2.6) * unit);
  text.setAttribute("y", point.y);
  text.setAttribute("font-size", 3 * unit);
  text.setAttribute("text-anchor", right ? "end" : "start");
  text.setAttribute("dominant-baseline", "central");
  text.textContent = words;
  svg.append(text);
}
