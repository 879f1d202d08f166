// The page's components without Gradio: each has props, tells who watches them, and is brought to life by a function of
// `tokenStreaming`, as Gradio would call it.

const NEAR = { rootMargin: "200px" };
const components = {}; // by name

// Sets the value of a component, and tells those that watch it.
export function setValue(name, value) {
  components[name].props.value = value;
  for (const listener of components[name].watching) listener();
}

// `triggers` are functions by the name of a mount, called with the name of an event.
export function mountAll(triggers) {
  for (const element of document.querySelectorAll("[data-mount]")) mount(element, triggers);
}

function mount(element, triggers) {
  const { mount: name, given, value, component } = element.dataset;
  const state = { props: { value: value === undefined ? undefined : JSON.parse(value) }, watching: [] };
  if (component) components[component] = state;
  const values = {
    element,
    props: state.props,
    watch: (_, listener) => state.watching.push(listener),
    trigger: (event) => triggers[name]?.(event),
  };
  const call = () => window.tokenStreaming[name](...given.split(", ").map((each) => values[each]));
  if (name === "mountChart") whenNear(element, call); // charts are large: only who comes to see one loads them
  else call();
}

function whenNear(element, call) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    call();
  }, NEAR);
  observer.observe(element);
}
