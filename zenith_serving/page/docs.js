// The REST API, drawn by Swagger UI from the service's own description.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null, // else it would ask a server elsewhere whether the description is valid
});
