// The quiz: five questions, answered before the lesson and after it, and what changed. The answers stay in this browser.

import { translate } from "../../page/language.js";
import { element, fillTable } from "../shared/dom.js";
import { describeChange } from "./change.js";

const KEY = "quiz";
const BEFORE = "Answer all five, as you think now. The right answers come after the lesson. Your answers stay in this browser (localStorage): they are sent nowhere.";
const AFTER = "Answer the same five again. Then both are compared.";
const KEPT = "Your answers from before the lesson are kept in this browser. Come back after it.";

let remembered = {}; // where nothing can be stored, for as long as the page is open

// Shows in `host` what comes next: the questions, a pause until after the lesson, the questions again, the comparison.
export function mountQuiz(host, questions) {
  const stored = readAnswers(questions);
  const keep = (answers) => { storeAnswers(answers); mountQuiz(host, questions); };
  const forget = button("quiz-forget", "Delete my answers", () => keep({}), "link");
  const ask = (moment) => askAll(questions, moment, (answers) => keep({ ...stored, [moment]: answers }));
  const title = element("h4", {}, "Quiz: before and after");
  if (!stored.before) host.replaceChildren(title, element("p", {}, BEFORE), ask("before"));
  else if (stored.after) host.replaceChildren(title, ...compare(questions, stored), forget);
  else host.replaceChildren(title, element("p", { id: "quiz-kept" }, KEPT), button("quiz-again", "Answer now, after the lesson", () => (
    host.replaceChildren(title, element("p", {}, AFTER), ask("after"), forget))), forget);
}

const button = (id, text, onclick, kind = "primary") => element("button", { type: "button", id, class: kind, onclick }, text);

function askAll(questions, moment, keep) {
  const fields = questions.map(({ question, answers }, at) => element("fieldset", {},
    element("legend", { translate: "no" }, `${at + 1}. ${question}`),
    ...answers.map((answer, value) => element("label", {},
      element("input", { type: "radio", name: `quiz-${at}`, value, required: true }), element("span", { translate: "no" }, answer)))));
  const submit = element("button", { type: "submit", class: "primary", id: "quiz-keep" }, moment === "before" ? "Keep my answers" : "Compare with before");
  return element("form", {
    id: "quiz-questions",
    onsubmit: (event) => {
      event.preventDefault();
      const given = new FormData(event.target);
      keep(questions.map((_, at) => Number(given.get(`quiz-${at}`))));
    },
  }, element("h5", {}, moment === "before" ? "Before the lesson" : "After the lesson"), ...fields, submit);
}

function compare(questions, { before, after }) {
  const right = questions.map((question) => question.right);
  const table = element("div", { translate: "no" });
  const columns = ["Question", "Before", "After", "Right", ""].map(translate);
  fillTable(table, translate("Before and after the lesson"), columns, questions.map(({ question, answers, right: at, why }, index) => [
    question, `${before[index] === at ? "✓" : "✗"} ${answers[before[index]]}`, `${after[index] === at ? "✓" : "✗"} ${answers[after[index]]}`, answers[at], why,
  ]));
  return [element("p", { class: "verdict", id: "quiz-verdict" }, describeChange(right, before, after)), table];
}

// The questions on paper: without the answers, which are given after the lesson.
export function listQuestions(questions) {
  const items = questions.map(({ question, answers }) => element("li", {}, question,
    element("ul", { class: "boxes" }, ...answers.map((answer) => element("li", {}, `☐ ${answer}`)))));
  const ask = (moment) => [element("h2", {}, translate(moment)), element("ol", { translate: "no" }, ...items.map((item) => item.cloneNode(true)))];
  return [element("h1", {}, translate("Quiz: before and after")), ...ask("Before the lesson"), ...ask("After the lesson")];
}

// The stored answers, {before, after}: of a quiz that has other questions now, none.
function readAnswers(questions) {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const isAnswers = (answers) => Array.isArray(answers) && answers.length === questions.length
      && questions.every(({ answers: offered }, at) => Object.hasOwn(offered, answers[at]));
    return Object.fromEntries(["before", "after"].filter((moment) => isAnswers(stored?.[moment])).map((moment) => [moment, stored[moment]]));
  } catch {
    return remembered;
  }
}

function storeAnswers(answers) {
  remembered = answers;
  try {
    localStorage.setItem(KEY, JSON.stringify(answers));
  } catch { /* storage is switched off or full */ }
}
