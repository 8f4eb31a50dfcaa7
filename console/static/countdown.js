// What is left until a deadline ticks. The server says how many seconds there were, so no clock of a reader's is asked.
const ends = new WeakMap();
let ticking;

const tick = () => {
  const texts = document.getElementById("said").dataset;
  for (const place of document.querySelectorAll("time[data-left]")) {
    if (!ends.has(place)) ends.set(place, Date.now() + place.dataset.left * 1000);
    const seconds = Math.max(0, Math.round((ends.get(place) - Date.now()) / 1000));
    const days = Math.floor(seconds / 86400);
    const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
    const clock = parts.map((part, index) => String(part).padStart(index ? 2 : 1, "0")).join(":");
    const text = days > 1 ? texts.days : days ? texts.day : texts.left;
    place.textContent = text.replace("%(days)s", days).replace("%(time)s", clock);
  }
};
const begin = () => {
  if (!ticking && document.querySelector("time[data-left]")) ticking = setInterval(tick, 1000);
};
begin();
document.addEventListener("bursar:shown", begin);
