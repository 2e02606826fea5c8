// SPDX-License-Identifier: MIT
// What the pages of the book do: light or dark, and lines of source to point at.
//
// The reader's choice is kept under the key "theme": "light", "dark", or, as long as
// nothing was chosen, "auto", which asks the system.  It is set before the page is drawn,
// so that nothing flashes.  A page from a file may have no storage; then the choice
// lasts as long as the page.
"use strict";

const ROOT = document.documentElement;

function chosenTheme() {
	try {
		return localStorage.getItem("theme") || "auto";
	} catch {
		return "auto";
	}
}

function setTheme(theme) {
	ROOT.dataset.theme = theme;
	try {
		localStorage.setItem("theme", theme);
	} catch {
		return;
	}
}

function isDark() {
	if (ROOT.dataset.theme !== "auto")
		return ROOT.dataset.theme === "dark";
	return matchMedia("(prefers-color-scheme: dark)").matches;
}

// A click on the number of a line makes it the address of the page.
function pointAtLine(event) {
	const line = event.target.closest(".file pre > span");
	if (line && event.offsetX < parseFloat(getComputedStyle(line, "::before").width))
		location.hash = line.id;
}

// "/" goes to the search, as in many books of this kind.
function goToSearch(event) {
	const field = document.querySelector("input[name=q]");
	if (event.key !== "/" || !field || /INPUT|TEXTAREA/.test(event.target.tagName))
		return;
	event.preventDefault();
	field.focus();
}

// On a narrow screen the contents stand above the text, closed; elsewhere the chapter
// that is read is in sight.
function showContents() {
	const contents = document.getElementById("contents");
	if (!contents)
		return;
	contents.open = matchMedia("(min-width: 54rem)").matches;
	const column = contents.parentElement;
	const current = contents.querySelector("a.current");
	if (current)
		column.scrollTop = current.offsetTop - column.clientHeight / 2;
}

ROOT.dataset.theme = chosenTheme();
document.addEventListener("keydown", goToSearch);
document.addEventListener("DOMContentLoaded", () => {
	showContents();
	document.getElementById("theme").addEventListener("click",
		() => setTheme(isDark() ? "light" : "dark"));
	document.addEventListener("click", pointAtLine);
});
