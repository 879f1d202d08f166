// Data files, each a script that hands over one value: a page opened from disk may not fetch.

const loading = {}; // by name: {promise, resolve}

window.tokenStreamingFiles = { receive: (name, value) => loading[name].resolve(value) };

// The value of the file `name`, loaded once.
export function loadFile(name) {
  loading[name] ??= request(name);
  return loading[name].promise;
}

function request(name) {
  const file = {};
  file.promise = new Promise((resolve, reject) => {
    file.resolve = resolve;
    const script = document.createElement("script");
    script.src = new URL(`../runs/${name}.js`, import.meta.url).href;
    script.onerror = () => {
      delete loading[name];
      reject(new Error("This recorded run can't be loaded: reload the page."));
    };
    document.head.append(script);
  });
  return file;
}
