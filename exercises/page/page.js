// The page itself: light or dark, contents that follow the reader, figures that enlarge.
"use strict";

const root = document.documentElement;
const laptop = matchMedia("(min-width: 64rem)");
root.classList.add("js");

// A page opened from a file may have no storage; the choice is then good for this visit.
function remembered() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

function remember(theme) {
  try { localStorage.setItem("theme", theme); } catch { /* see above */ }
}

if (remembered()) root.dataset.theme = remembered();

addEventListener("DOMContentLoaded", () => {
  setUpTheme(document.getElementById("theme"));
  setUpContents(document.querySelector("nav details"));
  setUpEnlarging(document.getElementById("enlarged"));
});

function setUpTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember(root.dataset.theme);
    say();
  });
  system.addEventListener("change", say);
  say();
}

function setUpContents(details) {
  const unfold = () => { details.open = laptop.matches; };
  laptop.addEventListener("change", unfold);
  unfold();
  details.addEventListener("click", (event) => {
    if (event.target.closest("a")) unfold();
  });
  const items = new Map();
  for (const link of details.querySelectorAll("ol > li > a")) {
    items.set(link.hash.slice(1), link.parentElement);
  }
  // The section that crosses a line a third down the window is the one being read.
  const watcher = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      items.get(target.id).classList.toggle("current", isIntersecting);
      if (isIntersecting && laptop.matches) showInColumn(items.get(target.id));
    }
  }, { rootMargin: "-33% 0px -66% 0px" });
  for (const id of items.keys()) watcher.observe(document.getElementById(id));
}

// Like scrollIntoView, which would also stop the page where it is scrolling to.
function showInColumn(item) {
  const nav = item.closest("nav");
  const { top, bottom } = item.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) nav.scrollTop += top - innerHeight / 3;
}

function setUpEnlarging(dialog) {
  const large = dialog.querySelector("img");
  for (const picture of document.querySelectorAll(".picture")) {
    const button = document.createElement("button");
    button.className = "enlarge";
    button.type = "button";
    button.title = "Enlarge";
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      large.src = picture.src;
      large.alt = picture.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target === large) dialog.close();
  });
}
