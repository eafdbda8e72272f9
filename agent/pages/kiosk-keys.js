// A keyboard on the screen: large keys, which type into one field.

const ICONS = {
  erase: "M9 5h11v14H9l-6-7zM12.5 9.5l5 5M17.5 9.5l-5 5",
  hide: "M3 4h18v11H3zM7 8h0M11 8h0M15 8h0M8 12h8M9 19l3 2 3-2",
};

/** Rows of letters such as "qwe asd"; none where a language is typed otherwise. `t` translates. */
export function makeKeys(room, field, rows, t, hide) {
  const lines = rows.split(" ").filter(Boolean).map((row) => line([...row].map((letter) => key(letter, letter))));
  if (lines.length) lines.push(line([icon("hide", t("keys.hide")), key(" ", t("keys.space"), "space"), icon("erase", t("keys.erase"))]));
  room.replaceChildren(...lines);
  room.onpointerdown = (event) => event.preventDefault();  // the field keeps its focus and its cursor
  room.onclick = (event) => {
    const pressed = event.target.closest("button");
    if (!pressed) return;
    if (pressed.dataset.key === "hide") return hide();
    if (pressed.dataset.key === "erase") erase(field);
    else field.setRangeText(pressed.dataset.key, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
}

function erase(field) {
  const end = field.selectionEnd;
  const before = [...field.value.slice(0, field.selectionStart)];
  if (field.selectionStart === end) before.pop();
  const start = before.join("").length;
  field.setRangeText("", start, end, "end");
}

function line(keys) {
  const row = document.createElement("div");
  row.className = "keys-row";
  row.append(...keys);
  return row;
}

function key(value, name, kind = "") {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `key ${kind}`;
  button.dataset.key = value;
  button.textContent = name;
  return button;
}

function icon(value, name) {
  const button = key(value, "", "wide");
  button.setAttribute("aria-label", name);
  button.innerHTML = `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[value]}"/></svg>`;
  return button;
}
