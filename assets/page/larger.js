// The button that has the server name larger models. Only when it is pressed does the server ask whether the hub can be reached.

export function mountLarger(element, props, watch, trigger) {
  const button = element.querySelector("#larger-models");
  if (!button) return;
  const update = () => { button.hidden = !props.value?.larger; };
  update();
  watch("value", update);
  button.addEventListener("click", () => trigger("click"));
}
