// The map: every cell's network runs here, on sounds that come with the page.
const data = JSON.parse(document.getElementById("data").textContent);
const instrument = document.getElementById("instrument");
const find = (what) => instrument.querySelector(what), all = (what) => [...instrument.querySelectorAll(what)];
const cells = all(".grid button"), columns = data.shapes.length;
const SHOWN = 240, FIRST = 4096;  // samples on the screen

const ofHalf = (bits) => {  // IEEE 754 binary16
  const sign = bits >> 15 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
};
const unpack = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Uint16Array(bytes.buffer), ofHalf);
};
const sounds = Object.fromEntries(Object.entries(data.sounds).map(([name, text]) => [name, unpack(text)]));

// A conv net with rectifiers between its layers, on a periodic signal.
const denoise = (signal, packed) => {
  const weights = unpack(packed), { kernel, dilations } = data, size = signal.length;
  const width = hiddenChannels(weights.length);
  let layer = [signal], place = 0;
  dilations.forEach((dilation, number) => {
    const outputs = number === dilations.length - 1 ? 1 : width, reach = dilation * (kernel - 1) / 2;
    const padded = layer.map((channel) => {
      const longer = new Float32Array(size + 2 * reach);
      for (let n = 0; n < longer.length; n++) {
        const value = channel[(n - reach + size) % size];
        longer[n] = number && value < 0 ? 0 : value;
      }
      return longer;
    });
    const inputs = layer.length, from = place + outputs;
    layer = Array.from({ length: outputs }, (_, out) => {
      const made = new Float32Array(size).fill(weights[place + out]);
      for (let tap = 0; tap < kernel; tap++) for (let channel = 0; channel < inputs; channel++) {
        const weight = weights[from + (out * kernel + tap) * inputs + channel], shift = tap * dilation, given = padded[channel];
        for (let n = 0; n < size; n++) made[n] += weight * given[n + shift];
      }
      return made;
    });
    place = from + outputs * kernel * inputs;
  });
  return layer[0];
};
const hiddenChannels = (count) => {  // of a net with so many weights
  const depth = data.dilations.length, { kernel } = data;
  let width = 1;
  while ((width + 1) * (depth - 1 + 2 * kernel) + (depth - 2) * kernel * (width + 1) ** 2 + 1 <= count) width++;
  return width;
};

let chosen, voice;
const value = (name) => find(`[name=${name}]:checked`).value;
const signals = () => {
  const frequency = data.frequencies[chosen.dataset.frequency], shapes = data.shapes[chosen.dataset.shapes];
  const target = { own: sounds[`band(${frequency})`], tune: sounds.tune, voice }[value("content")];
  const noise = { own: sounds[`clicks(${shapes})`], none: null }[value("noise")];
  const added = noise === undefined ? sounds[value("noise")] : noise;
  return { target, input: added ? target.map((sample, n) => sample + added[n]) : target };
};
const network = () => data.weights[chosen.dataset.frequency][chosen.dataset.shapes];

const draw = () => {
  const canvas = document.getElementById("scope"), pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const reach = data.dilations.reduce((sum, each) => sum + each) * (data.kernel - 1) / 2;
  const part = (signal, more = 0) => signal.slice(FIRST - more, FIRST + SHOWN + more);
  const { input, target } = signals();
  const output = denoise(part(input, reach), network()).slice(reach, reach + SHOWN);
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.clientHeight * devicePixelRatio;
  const scale = canvas.height / 2 / Math.max(3, ...part(input).map(Math.abs));
  [[part(input), "--input", 1], [part(target), "--ink", 1.2], [output, "--output", 2.2]].forEach(([signal, color, thickness]) => {
    pen.beginPath();
    signal.forEach((sample, n) => pen.lineTo(canvas.width * n / (SHOWN - 1), canvas.height / 2 - scale * sample));
    pen.strokeStyle = style.getPropertyValue(color);
    pen.lineWidth = thickness * devicePixelRatio;
    pen.stroke();
  });
};

const choose = (cell) => {
  chosen?.setAttribute("aria-pressed", "false");
  if (chosen) chosen.tabIndex = -1;
  chosen = cell;
  cell.setAttribute("aria-pressed", "true");
  cell.tabIndex = 0;
  const values = JSON.parse(cell.dataset.values), frequency = data.frequencies[cell.dataset.frequency], shapes = data.shapes[cell.dataset.shapes];
  find(".chosen").textContent = `Content up to ${frequency} cycles, ${shapes} click ${shapes === 1 ? "shape" : "shapes"}: ${cell.dataset.fitted}.`;
  all("[data-value]").forEach((shown) => { shown.textContent = values[shown.dataset.value].toFixed(2); });
  draw();
};
const paint = () => {
  const measure = value("measure");
  for (const cell of cells) {
    const number = JSON.parse(cell.dataset.values)[measure], [color, ink] = JSON.parse(cell.dataset.colors)[measure];
    Object.assign(cell.style, { background: color, color: ink });
    cell.textContent = number.toFixed(2).replace("0.", ".");
  }
  all("[data-measure]").forEach((shown) => { shown.hidden = shown.dataset.measure !== measure; });
};

let context;
const play = (button) => {
  const kind = button.dataset.hear, found = signals();
  const signal = kind === "output" ? denoise(found.input, network()) : found[kind];
  context ??= new AudioContext({ sampleRate: data.rate });
  const buffer = context.createBuffer(1, signal.length, data.rate);
  buffer.copyToChannel(signal.map((sample) => Math.max(-1, Math.min(1, sample / 4))), 0);  // one loudness for all
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  startOnly(() => { source.stop(); button.setAttribute("aria-pressed", "false"); });
  source.onended = () => button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", "true");
  source.start();
};
const listen = async () => {  // to the microphone, as loud as the sounds of the page
  const size = sounds.tune.length;
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream), parts = [];
  recorder.ondataavailable = ({ data: part }) => parts.push(part);
  await new Promise((done) => {
    recorder.onstop = done;
    recorder.start();
    setTimeout(() => recorder.stop(), 1000 * size / data.rate + 300);
  });
  stream.getTracks().forEach((track) => track.stop());
  context ??= new AudioContext({ sampleRate: data.rate });
  const heard = (await context.decodeAudioData(await new Blob(parts).arrayBuffer())).getChannelData(0);
  const recorded = new Float32Array(size);
  recorded.set(heard.subarray(0, size));
  const power = Math.sqrt(recorded.reduce((sum, sample) => sum + sample ** 2, 0) / size) || 1;
  voice = recorded.map((sample) => sample / power);
};

instrument.addEventListener("change", async ({ target }) => {
  if (target.name === "measure") return paint();
  if (target.value === "voice") {
    find(".chosen").textContent = "Speak now.";
    try {
      await listen();
    } catch (error) {
      find("[name=content][value=own]").checked = true;
      choose(chosen);
      find(".chosen").textContent = `No microphone here (${error.message}).`;
      return;
    }
  }
  choose(chosen);
});
cells.forEach((cell, place) => {
  cell.addEventListener("pointerenter", ({ pointerType }) => { if (pointerType === "mouse") choose(cell); });
  cell.addEventListener("focus", () => choose(cell));
  cell.addEventListener("click", () => play(find("[data-hear=output]")));
  cell.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault();
    const row = (other) => Math.floor(other / columns), next = place + step;
    if (Math.abs(step) === 1 && row(next) !== row(place)) return;
    cells[next]?.focus();
  });
});
all("[data-hear]").forEach((button) => button.addEventListener("click", () =>
  button.getAttribute("aria-pressed") === "true" ? startOnly(() => {}) : play(button)));
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
paint();
choose(cells[0]);  // the richest content under the simplest noise
