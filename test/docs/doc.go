// Package docs holds what the documentation says against the repository: commands, targets,
// environment variables, messages, and the files that it shows. The pages of the services are
// also held against them, beside their code.
package docs
