/* Starts Swagger UI on the page that loads this file. */
"use strict";

(() => {
  // Whoever pastes a token may paste the word before it too: Swagger UI adds its own.
  const oneBearer = (value) => value.trim().replace(/^(?:bearer\s+)+/i, "Bearer ");

  const beforeRequest = (request) => {
    const headers = request.headers || {};
    for (const name of Object.keys(headers)) {
      if (name.toLowerCase() !== "authorization") continue;
      // The password form sends an empty client id as Basic; our token route knows no clients.
      if (/^basic\s/i.test(headers[name])) delete headers[name];
      else headers[name] = oneBearer(headers[name]);
    }
    return request;
  };

  // What Authorize keeps for the next visit would hold the password; the token is enough.
  const forgetPassword = (original) => (payload) => {
    const { password, clientSecret, ...auth } = payload.auth;
    return original({ ...payload, auth });
  };

  const place = document.getElementById("swagger-ui");
  window.ui = SwaggerUIBundle({
    domNode: place,
    url: place.dataset.spec,
    deepLinking: true,
    filter: true,
    docExpansion: "none", // drawing all operations and all schemas at once takes seconds
    tryItOutEnabled: true,
    displayRequestDuration: true,
    persistAuthorization: true,
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
    requestInterceptor: beforeRequest,
    plugins: [{ statePlugins: { auth: { wrapActions: { authorizeOauth2: forgetPassword } } } }],
  });
})();
