#include "codec/job_spec_conflicts.h"

#include <fmt/format.h>

#include <string_view>

#include "domain/launch_fields.h"

namespace gyre::codec {
namespace {

const SpecNode* field(const SpecNode& root, std::string_view name) {
  for (std::size_t i = 0; i < root.keys.size(); ++i) {
    if (root.keys[i].name == name) return &root.items[i];
  }
  return nullptr;
}

bool names_an_image(const SpecNode& root) {
  const SpecNode* image = field(root, "image");
  return image != nullptr && image->text != "host";
}

class Conflicts {
 public:
  explicit Conflicts(const SpecNode& root) : root_(root) {}

  void check(std::string_view name, const Result<void>& fine) {
    const SpecNode* node = field(root_, name);
    if (!fine && node != nullptr) add(*node, std::string(name), fine.error().message);
  }
  void add(const SpecNode& node, std::string path, std::string message) {
    found_.push_back(
        {ErrorKind::Invalid, std::move(path), node.line, node.column, std::move(message), ""});
  }
  const SpecNode* node(std::string_view name) const { return field(root_, name); }
  std::vector<SpecProblem> found() && { return std::move(found_); }

 private:
  const SpecNode& root_;
  std::vector<SpecProblem> found_;
};

/// Those of the container's own file system, and no container.
void check_artifacts(Conflicts& conflicts) {
  const SpecNode* artifacts = conflicts.node("artifacts");
  if (artifacts == nullptr) return;
  for (std::size_t i = 0; i < artifacts->items.size(); ++i) {
    const SpecNode& item = artifacts->items[i];
    if (item.kind != SpecNode::Kind::String || !check_artifact(item.text, true)) continue;
    const auto fine = check_artifact(item.text, false);
    if (!fine) conflicts.add(item, fmt::format("artifacts[{}]", i), fine.error().message);
  }
}

}  // namespace

std::vector<SpecProblem> conflicts_of(const SpecNode& root, const JobSpec& spec) {
  Conflicts conflicts(root);
  if (!names_an_image(root)) {
    for (const std::string_view name : fields_of_a_container(spec.launch.container)) {
      conflicts.check(name, fail(ErrorKind::Invalid, "{}", kContainerAlone));
    }
    check_artifacts(conflicts);
  }
  conflicts.check("registry_login", check_registry_login(spec.launch.container));
  conflicts.check("ports", check_ports_reachable(spec.launch));
  return std::move(conflicts).found();
}

SpecProblem placed(const SpecNode& root, const Error& error) {
  const std::size_t colon = error.message.find(": ");
  const std::string name = error.message.substr(0, colon);
  const SpecNode* node = colon == std::string::npos ? nullptr : field(root, name);
  if (node == nullptr) return {error.kind, "", root.line, root.column, error.message, ""};
  return {error.kind, name, node->line, node->column, error.message.substr(colon + 2), ""};
}

}  // namespace gyre::codec
