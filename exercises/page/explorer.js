// The latent explorer: what the decoder draws under the pointer, and which training digit is near.
const { side, steps, columns, labels, planes } = JSON.parse(
  document.getElementById("explorer-data").textContent);
const status = document.getElementById("explorer-status");
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STEP = 0.025, SMALL_STEP = 0.005; // of a plane's width
let announcement = 0;

// A picture full of pictures: grey value (0 to 255) of a pixel in the one at a row and column.
async function spriteOf(image) {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return (row, column, y, x) =>
    rgba[4 * ((row * side + y) * canvas.width + column * side + x)];
}

function draw(canvas, grey) {
  const picture = new ImageData(side, side);
  for (let k = 0; k < side * side; k++) {
    picture.data.fill(grey(Math.floor(k / side), k % side), 4 * k, 4 * k + 3);
    picture.data[4 * k + 3] = 255; // opaque
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const digits = await spriteOf(document.getElementById("digits"));
const panels = await Promise.all([...document.querySelectorAll(".plane")].map(setUp));

async function setUp(element, index) {
  const find = (selector) => element.querySelector(selector);
  const drawings = await spriteOf(find(".sprite"));
  const panel = { ...planes[index], find, drawings, at: null };
  const svg = find("svg");
  for (const kind of ["pointermove", "pointerdown"]) {
    svg.addEventListener(kind, (event) => {
      const field = find(".field").getBoundingClientRect();
      moveTo(panel, (event.clientX - field.left) / field.width,
        (field.bottom - event.clientY) / field.height);
    });
  }
  svg.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault(); // the page would scroll
    const [right, up] = ARROWS[event.key].map((n) => n * (event.shiftKey ? SMALL_STEP : STEP));
    moveTo(panel, panel.at[0] + right, panel.at[1] + up);
  });
  return panel;
}

// Show what belongs to a place of the plane, right and up from its lower left corner, 0 to 1.
function moveTo(panel, right, up) {
  const { low, high, codes, find } = panel;
  const at = panel.at = [right, up].map((n) => Math.min(Math.max(n, 0), 1));
  const code = at.map((n, axis) => low[axis] + n * (high[axis] - low[axis]));
  draw(find(".drawn"), blend(panel.drawings, ...at));
  place(find(".cross"), ...at);

  const distances = codes.map(([x, y]) => Math.hypot(x - code[0], y - code[1]));
  const nearest = distances.reduce((best, d, i) => d < distances[best] ? i : best, 0);
  draw(find(".nearest"), (y, x) =>
    digits(Math.floor(nearest / columns), nearest % columns, y, x));
  for (const other of panels) {
    place(other.find(".ring"), ...other.codes[nearest].map(
      (n, axis) => (n - other.low[axis]) / (other.high[axis] - other.low[axis])));
  }

  const where = `(${code.map((n) => n.toFixed(2)).join(", ")})`;
  const who = `a ${labels[nearest]}, ${distances[nearest].toFixed(2)} away`;
  find(".place").textContent = where;
  find(".who").textContent = who;
  clearTimeout(announcement); // a screen reader hears where the pointer comes to rest
  announcement = setTimeout(() => {
    status.textContent = `${panel.name}, code ${where}; nearest training digit: ${who}`;
  }, 500);
}

// Between the four drawings around a place (bilinear interpolation).
function blend(drawings, right, up) {
  const [j, i] = [right, up].map((n) => Math.min(Math.floor(n * (steps - 1)), steps - 2));
  const [u, v] = [right * (steps - 1) - j, up * (steps - 1) - i];
  const row = steps - 1 - i; // the sprite's first line is its upper one
  return (y, x) =>
    (1 - v) * ((1 - u) * drawings(row, j, y, x) + u * drawings(row, j + 1, y, x)) +
    v * ((1 - u) * drawings(row - 1, j, y, x) + u * drawings(row - 1, j + 1, y, x));
}

function place(mark, right, up) {
  const field = mark.ownerSVGElement.querySelector(".field").width.baseVal.value;
  mark.setAttribute("transform", `translate(${right * field} ${(1 - up) * field})`);
}

// The buttons of the legend leave the dots of one digit, or again of all.
const buttons = [...document.querySelectorAll(".digit")];
for (const [digit, button] of buttons.entries()) {
  button.addEventListener("click", () => {
    const chosen = button.ariaPressed === "true" ? null : digit;
    for (const [d, other] of buttons.entries()) {
      other.ariaPressed = String(d === chosen);
      for (const dots of document.querySelectorAll(`.dots.d${d}`)) {
        dots.classList.toggle("pale", chosen !== null && d !== chosen);
      }
    }
  });
}

for (const panel of panels) moveTo(panel, 0.5, 0.5);
