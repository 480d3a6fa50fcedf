// Swagger UI over the service's OpenAPI document.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null, // the default asks an external server to validate the document
});
