// Sounds: one at a time; another track goes on where the first one was.
let silence = () => {};  // stops what is heard
const startOnly = (stop) => { silence(); silence = stop; };
for (const player of document.querySelectorAll(".player")) {
  const tracks = [...player.querySelectorAll(".track")].map((track) => ({
    button: track.querySelector("button"), wave: track.querySelector(".wave"), audio: track.querySelector("audio"),
  }));
  let at = 0;  // seconds
  const show = () => tracks.forEach(({ wave, audio }) => wave.style.setProperty("--at", `${100 * at / audio.dataset.seconds}%`));
  const pause = ({ button, audio }) => { audio.pause(); button.setAttribute("aria-pressed", "false"); };
  const follow = (track) => {
    if (track.audio.paused) return;
    at = track.audio.currentTime;
    show();
    requestAnimationFrame(() => follow(track));
  };
  const play = (track) => {
    startOnly(() => tracks.forEach(pause));
    track.audio.currentTime = at;
    track.button.setAttribute("aria-pressed", "true");
    track.audio.play().then(() => follow(track), () => pause(track));  // stopped before it began
  };
  const seek = (seconds) => {
    at = Math.min(Math.max(seconds, 0), tracks[0].audio.dataset.seconds - 0.05);
    tracks.forEach(({ audio }) => { if (!audio.paused) audio.currentTime = at; });
    show();
  };
  for (const track of tracks) {
    track.button.addEventListener("click", () => track.audio.paused ? play(track) : pause(track));
    track.button.addEventListener("keydown", ({ key }) => {
      if (key === "ArrowRight") seek(at + 1);
      if (key === "ArrowLeft") seek(at - 1);
    });
    track.audio.addEventListener("ended", () => { pause(track); at = 0; show(); });
    track.wave.addEventListener("click", (event) => {
      seek(track.audio.dataset.seconds * event.offsetX / track.wave.clientWidth);
      if (track.audio.paused) play(track);
    });
  }
}

// Claims: those that all filters let through.
const filters = document.querySelector(".filters"), claims = [...document.getElementById("claims-table").tBodies[0].rows];
const filter = () => {
  const { sentence, domain, verdict, words, primary } = filters.elements;
  for (const row of claims) {
    row.hidden = (sentence.value && !row.dataset.sentence.split("\n").includes(sentence.value))
      || (domain.value && row.dataset.domain !== domain.value)
      || (verdict.value && row.dataset.verdict !== verdict.value)
      || (primary.checked && !row.dataset.primary)
      || !row.textContent.toLowerCase().includes(words.value.toLowerCase());
  }
  document.getElementById("count").textContent = `${claims.filter((row) => !row.hidden).length} of ${claims.length} claims`;
};
filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(filter));
for (const link of document.querySelectorAll("a[data-sentence]")) {
  link.addEventListener("click", () => {
    filters.reset();
    filters.elements.sentence.value = link.dataset.sentence;
    filters.elements.domain.value = link.dataset.domain;
    setTimeout(filter);
  });
}
