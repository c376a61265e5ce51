// Tables that are drawn again and again: rows and texts stay where they are, only what differs is touched.
export const element = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

// Let `body` have these rows; each is {cells: [text], kind: class, bar: 0 to 1 behind the row, or nothing}.
export function drawRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, at) => {
    const line = body.rows[at] ?? body.insertRow();
    while (line.cells.length < row.cells.length) line.insertCell();
    row.cells.forEach((text, place) => setText(line.cells[place], text));
    setClass(line, row.kind ?? "");
    const share = row.bar === undefined ? "" : `${(100 * row.bar).toFixed(1)}%`;
    if (line.dataset.share !== share) {
      line.dataset.share = share;
      line.style.setProperty("--share", share || "0%");
    }
  });
  const empty = body.closest("section").querySelector(".empty");
  if (empty && !empty.dataset.ofAll) empty.hidden = rows.length > 0;
}

// Let a list of terms have these [term, text, class].
export function drawTerms(list, terms) {
  while (list.children.length > 2 * terms.length) list.lastChild.remove();
  terms.forEach(([term, text, kind], at) => {
    if (!list.children[2 * at]) list.append(document.createElement("dt"), document.createElement("dd"));
    setText(list.children[2 * at], term);
    setText(list.children[2 * at + 1], text);
    setClass(list.children[2 * at + 1], kind ?? "");
  });
}
