import { api, speak, t } from "/pages/shared.js";

const form = document.getElementById("form");
const error = document.getElementById("error");

/** Where to go afterwards: a page of this device and nothing else. */
function target() {
  const to = new URLSearchParams(location.search).get("to") ?? "/";
  return /^\/[a-z]*$/.test(to) ? to : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const { pages } = await api("/api/login", { password: form.password.value }).then(() => api("/api/session"));
    location.assign(pages.includes(target()) ? target() : (pages[0] ?? "/login"));
  } catch (refused) {
    error.textContent = { 401: t("wrong"), 429: t("often") }[refused.status] ?? refused.message;
    form.password.select();
    form.password.focus();
  } finally {
    button.disabled = false;
  }
});

await speak("login");
