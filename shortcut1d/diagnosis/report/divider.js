// Pictures with a divider. What else is chosen about them, the style sheet shows.
for (const pictures of document.querySelectorAll(".pictures")) {
  const say = (divider) => {
    divider.parentElement.style.setProperty("--x", divider.value + "%");
    divider.setAttribute("aria-valuetext", `${divider.value}% ${pictures.dataset.left}, ${100 - divider.value}% output`);
  };
  pictures.addEventListener("input", ({ target }) => {
    if (target.type === "range") return say(target);
    pictures.dataset[target.name] = target.value;
    pictures.querySelectorAll("[type=range]").forEach(say);
  });
}
