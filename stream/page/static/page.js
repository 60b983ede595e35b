// The page: one section a stream, drawn from server-sent events and, for what was before, from api/events.
const MINUTE = 60_000, STALE = 5_000, ROW = 22, MARGIN = 130, MOST_LOGGED = 200;
const streams = new Map();
let span = 10 * MINUTE, until = null, offset = 0, heard = 0;

const now = () => Date.now() + offset;
const ms = (ns) => ns / 1e6;
const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const resolved = (name) => {
  const probe = document.getElementById("connection");
  const before = probe.style.color;
  probe.style.color = colour(name);
  const found = getComputedStyle(probe).color;
  probe.style.color = before;
  return found;
};

function stream(name) {
  if (streams.has(name)) return streams.get(name);
  const section = document.getElementById("stream").content.cloneNode(true).querySelector("section");
  section.dataset.stream = name;
  section.querySelector("h2").textContent = name;
  const main = document.getElementById("streams");
  main.insertBefore(section, [...main.children].find((each) => each.dataset.stream > name) ?? null);
  const own = { section, view: null, spans: new Map() };
  streams.set(name, own);
  return own;
}

function show(view) {
  const own = stream(view.stream);
  own.view = view;
  const { section } = own;
  const state = section.querySelector(".state");
  state.textContent = view.detail ? `${view.state}: ${view.detail}` : view.state;
  state.classList.toggle("warns", Boolean(view.detail) || !["listening", "silent"].includes(view.state));
  section.querySelector("meter").value = view.level?.dbfs ?? -60;
  section.querySelector(".level span").textContent = view.level
    ? `${view.level.dbfs.toFixed(0)} dBFS, peak ${view.level.peak_dbfs.toFixed(0)}${view.level.clipped ? ", clipped" : ""}`
    : "no level";
  showAlerts(section.querySelector(".alerts"), view);
  showPlaying(section.querySelector(".playing"), view.playing);
  const drift = view.drift_ppm === null ? "" : `, drift ${view.drift_ppm.toFixed(0)} ppm`;
  section.querySelector("footer").textContent =
    `${view.source}; ${view.model}; lag ${ms(view.lag_ns).toFixed(0)} ms${drift}; ${(view.lost_samples / 44100).toFixed(1)} s lost`;
}

function showAlerts(list, view) {
  const wanted = new Map(view.alerts.map((each) => [`${each.rule} ${each.since_ns}`, each]));
  for (const item of [...list.children]) if (!wanted.has(item.dataset.alert)) item.remove();
  for (const [key, each] of wanted) {
    let item = [...list.children].find((one) => one.dataset.alert === key);
    if (!item) {
      item = document.createElement("li");
      item.dataset.alert = key;
      const button = document.createElement("button");
      button.textContent = "Acknowledge";
      button.addEventListener("click", () => acknowledge(view.stream, each.rule));
      item.append(`${each.rule} since ${clock(ms(each.since_ns))} `, button);
      list.append(item);
    }
    item.classList.toggle("acknowledged", each.acknowledged);
    item.querySelector("button").hidden = each.acknowledged;
  }
}

function acknowledge(stream, rule) {
  const body = JSON.stringify({ stream, rule });
  fetch("api/acknowledge", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

function showPlaying(list, playing) {
  const wanted = new Map((playing ?? []).map((each) => [each.label, each]));
  for (const item of [...list.children]) if (!wanted.has(item.dataset.label)) item.remove();
  for (const [label, each] of wanted) {
    let item = [...list.children].find((one) => one.dataset.label === label);
    if (!item) {
      item = document.createElement("li");
      item.dataset.label = label;
      item.append(label, " ", document.createElement("small"));
      list.append(item);
    }
    const sure = each.probability === null ? "" : `, ${Math.round(100 * each.probability)} %`;
    const text = `since ${clock(ms(each.since_ns))}${sure}`;
    if (item.lastChild.textContent !== text) item.lastChild.textContent = text;
  }
}

function keep(one) {
  const own = stream(one.stream);
  own.spans.set(`${one.kind} ${one.name} ${Math.round(ms(one.start_ns))}`, one);
}

function logged(own) {
  const list = own.section.querySelector(".log");
  if (!list.parentElement.open) return;
  const newest = [...own.spans.values()].filter((one) => one.kind !== "silence").sort((a, b) => b.start_ns - a.start_ns);
  list.replaceChildren(...newest.slice(0, MOST_LOGGED).map((one) => {
    const item = document.createElement("li");
    const end = one.end_ns === null ? "now" : clock(ms(one.end_ns));
    item.textContent = `${one.kind === "gap" ? `gap (${one.name})` : one.name}: ${clock(ms(one.start_ns))} to ${end}`;
    return item;
  }));
}

function hatch(context, ink) {
  const tile = new OffscreenCanvas(8, 8), pen = tile.getContext("2d");
  pen.strokeStyle = ink;
  pen.beginPath();
  pen.moveTo(0, 8);
  pen.lineTo(8, 0);
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

function draw(own) {
  const canvas = own.section.querySelector("canvas"), context = canvas.getContext("2d");
  const right = until ?? now(), left = right - span;
  const shown = [...own.spans.values()].filter((one) => ms(one.start_ns) < right && (one.end_ns === null || ms(one.end_ns) > left));
  const labels = [...new Set(shown.filter((one) => one.kind === "label").map((one) => one.name))].sort();
  const width = canvas.clientWidth, height = ROW * Math.max(1, labels.length) + 20, scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
  }
  const margin = Math.min(MARGIN, width / 3);
  const x = (time) => margin + (width - margin) * Math.min(1, Math.max(0, (time - left) / span));
  const [text, line, plays, warns, silence] = ["text", "line", "plays", "warns", "silence"].map(resolved);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "13px system-ui, sans-serif";
  const bar = (one, top, tall) => context.fillRect(x(ms(one.start_ns)), top, Math.max(2, x(one.end_ns === null ? now() : ms(one.end_ns)) - x(ms(one.start_ns))), tall);
  context.fillStyle = silence;
  for (const one of shown) if (one.kind === "silence") bar(one, 0, height - 20);
  labels.forEach((label, row) => {
    context.fillStyle = text;
    context.fillText(label, 0, row * ROW + 15, margin - 8);
    context.fillStyle = line;
    context.fillRect(margin, row * ROW + ROW - 1, width - margin, 1);
    context.fillStyle = plays;
    for (const one of shown) if (one.kind === "label" && one.name === label) bar(one, row * ROW + 3, ROW - 7);
  });
  for (const one of shown) if (one.kind === "gap") {
    context.fillStyle = hatch(context, warns);
    bar(one, 0, height - 20);
    context.fillStyle = warns;
    context.fillText(one.name, x(ms(one.start_ns)) + 3, height - 24);
  }
  context.fillStyle = text;
  for (const share of [0, 0.5, 1]) {
    context.textAlign = ["left", "center", "right"][share * 2];
    context.fillText(clock(left + share * span), margin + share * (width - margin), height - 4);
  }
  context.textAlign = "left";
  const gaps = shown.filter((one) => one.kind === "gap").length;
  const summary = `${own.section.dataset.stream}, ${clock(left)} to ${clock(right)}: ${labels.join(", ") || "nobody played"}; ${gaps} gaps`;
  if (canvas.getAttribute("aria-label") !== summary) canvas.setAttribute("aria-label", summary);
}

function redraw() {
  const stale = now() - heard > STALE, connection = document.getElementById("connection");
  const text = !heard ? "connecting" : stale ? `no connection since ${clock(heard)}; what is shown is old` : "live";
  if (connection.textContent !== text) connection.textContent = text;
  connection.classList.toggle("warns", Boolean(heard) && stale);
  for (const own of streams.values()) { draw(own); logged(own); }
}

function move(minutes, end) {
  span = minutes * MINUTE;
  until = end !== null && end < now() ? end : null;
  for (const button of document.querySelectorAll("[data-minutes]")) button.setAttribute("aria-pressed", Number(button.dataset.minutes) * MINUTE === span);
  document.getElementById("now").setAttribute("aria-pressed", until === null);
  redraw();
}
const shift = (share) => move(span / MINUTE, (until ?? now()) + share * span);

for (const button of document.querySelectorAll("[data-minutes]")) button.onclick = () => move(Number(button.dataset.minutes), until);
document.getElementById("earlier").onclick = () => shift(-0.5);
document.getElementById("later").onclick = () => shift(0.5);
document.getElementById("now").onclick = () => move(span / MINUTE, null);
document.getElementById("streams").addEventListener("keydown", (event) => {
  if (event.target.tagName !== "CANVAS") return;
  const keys = { ArrowLeft: () => shift(-0.1), ArrowRight: () => shift(0.1), "+": () => move(span / MINUTE / 2, until), "-": () => move(span / MINUTE * 2, until), End: () => move(span / MINUTE, null) };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
document.getElementById("streams").addEventListener("wheel", (event) => {
  if (event.target.tagName !== "CANVAS" || !(event.ctrlKey || event.shiftKey)) return;
  event.preventDefault();
  if (event.ctrlKey) move(Math.min(1440, Math.max(1, (span / MINUTE) * (event.deltaY > 0 ? 1.25 : 0.8))), until);
  else shift(Math.sign(event.deltaY || event.deltaX) * 0.1);
}, { passive: false });

async function fetchPast() {
  const answer = await fetch("api/events");
  if (answer.ok) (await answer.json()).spans.forEach(keep);
}

const live = new EventSource("api/live");
const on = (name, take) => live.addEventListener(name, (event) => { heard = now(); take(JSON.parse(event.data)); });
live.onopen = () => { heard = now(); fetchPast(); };
live.onerror = async () => {
  // A login that is over, or another page at this address: the browser is shown what it is asked for.
  const answer = await fetch("api/now").catch(() => null);
  if (answer?.status === 401) location.reload();
};
on("stream", show);
on("span", keep);
on("time", ({ now_ns }) => { offset = ms(now_ns) - Date.now(); });
on("notice", ({ text }) => { document.getElementById("notices").textContent = `${clock(now())} ${text}`; });
setInterval(redraw, 250);
