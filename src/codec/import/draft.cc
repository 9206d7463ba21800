#include "codec/import/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/units.h"
#include "codec/printable.h"
#include "domain/image_ref.h"

namespace gyre::codec::import {
namespace {

using Kind = SpecNode::Kind;

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

bool is_set(const Draft& draft, std::string_view name) {
  const auto& env = draft.spec.launch.env;
  return std::any_of(env.begin(), env.end(), [&](const auto& it) { return it.first == name; });
}

struct Device {
  std::string model;
  std::string memory;        // "80GB", empty: not said
  bool of_a_vendor = false;  // who makes it, or the family: "tesla"
  bool is_a_slice = false;   // a MIG profile
};

/// "3G.20GB", "1G.10GB+ME"
bool is_mig_profile(std::string_view word) {
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const std::size_t slices = word.find("G.");
  if (slices == std::string_view::npos || !is_number(word.substr(0, slices))) return false;
  const std::string_view memory = word.substr(slices + 2);
  return memory.find("GB") != std::string_view::npos &&
         is_number(memory.substr(0, memory.find("GB")));
}

/// "NVIDIA-A100-SXM4-80GB", "nvidia-tesla-t4", "a100", "RTX 4090".
Device device_of(std::string_view name) {
  constexpr std::array<std::string_view, 4> kVendor{"NVIDIA", "TESLA", "GEFORCE", "QUADRO"};
  constexpr std::array<std::string_view, 4> kVariant{"SXM", "PCI", "HBM", "NVL"};
  Device device;
  bool variant = false;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find_first_of(" -_"), name.size());
    const std::string word = upper(name.substr(0, end));
    name.remove_prefix(std::min(end + 1, name.size()));
    if (std::find(kVendor.begin(), kVendor.end(), word) != kVendor.end()) {
      device.of_a_vendor = true;
      continue;
    }
    if (is_mig_profile(word)) device.is_a_slice = true;
    const bool digit = !word.empty() && word[0] >= '0' && word[0] <= '9';
    if (digit && word.ends_with("GB") && !device.model.empty()) {
      device.memory = word;
      continue;
    }
    variant = variant || std::any_of(kVariant.begin(), kVariant.end(), [&](std::string_view v) {
                return word.starts_with(v) && !device.model.empty();
              });
    if (!variant) device.model += word;
  }
  return device;
}

}  // namespace

void Draft::dropped(std::string_view what, std::string_view why) {
  notes.push_back(fmt::format("dropped {}: {}", printable(what), why));
}

void Draft::changed(std::string_view what, std::string_view how) {
  notes.push_back(fmt::format("changed {}: {}", printable(what), how));
}

void Draft::wrong(const SpecNode& at, std::string_view path, std::string_view message,
                  ErrorKind kind) {
  if (error) return;
  const std::string place =
      at.line > 0 ? fmt::format("line {}, column {}: ", at.line, at.column) : "";
  const std::string field = path.empty() ? "" : printable(path) + ": ";
  error = Error{kind, place + field + std::string(message)};
}

void Draft::name(std::string_view text) {
  std::string legal;
  for (const char c : text.substr(0, kNameBytesMax)) {
    const bool keep = is_word(c) || c == '.' || c == '-';
    if (keep || !legal.empty()) legal += keep ? c : '-';
  }
  while (!legal.empty() && !is_valid_name(legal)) legal.erase(0, 1);
  if (legal.empty()) return dropped("the name", "it has no letter or digit");
  if (legal != text) changed("the name", fmt::format("it is '{}' now", legal));
  spec.name = legal;
}

void Draft::variable(std::string_view name, std::string_view value) {
  if (!is_variable_name(name)) {
    return dropped(fmt::format("the variable '{}'", name), "it is no name of a variable");
  }
  auto& env = spec.launch.env;
  const auto known =
      std::find_if(env.begin(), env.end(), [&](const auto& it) { return it.first == name; });
  if (known == env.end()) {
    env.emplace_back(name, value);
  } else {
    known->second = value;  // the later one counts
  }
}

void Draft::directory(std::string_view path, std::string_view text) {
  if (text.starts_with('/')) {
    spec.launch.working_directory = text;
    return;
  }
  dropped(path, "Gyre copies no folders: give working_directory the absolute path on the nodes");
}

void Draft::image(const SpecNode& node, const std::string& path) {
  auto name = text(node, path);
  if (!name) return;
  if (name->starts_with("docker:")) name->erase(0, 7);
  if (!parse_image_ref(*name)) {
    // A name without a registry is Docker Hub's, and one word is of its library.
    const bool word = name->find('/') == std::string::npos;
    const std::string full = fmt::format("docker.io/{}{}", word ? "library/" : "", *name);
    if (const auto known = parse_image_ref(full); !known) {
      return wrong(node, path, known.error().message, known.error().kind);
    }
    changed(path, fmt::format("the image is '{}' in full", printable(full)));
    name = full;
  }
  spec.launch.container.image = *name;
}

std::optional<std::string> Draft::text(const SpecNode& node, std::string_view path) {
  if (is_scalar(node)) return node.text;
  wrong(node, path, "expected a text");
  return std::nullopt;
}

std::optional<std::int64_t> Draft::whole(const SpecNode& node, std::string_view path,
                                         std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto read = std::from_chars(node.text.data(), end, number);
  if (is_scalar(node) && read.ec == std::errc{} && read.ptr == end && number >= least &&
      number <= most) {
    return number;
  }
  wrong(node, path, fmt::format("expected a whole number from {} to {}", least, most));
  return std::nullopt;
}

std::optional<bool> Draft::yes_or_no(const SpecNode& node, std::string_view path) {
  if (node.kind == Kind::Bool) return node.text[0] == 't' || node.text[0] == 'T';
  wrong(node, path, "expected true or false");
  return std::nullopt;
}

void Draft::nodes_from(const SpecNode& node, std::string_view path) {
  if (const auto count = whole(node, path, 1, kTasksPerJobMax)) {
    nodes() = static_cast<std::int32_t>(*count);
  }
}

void Draft::memory(const SpecNode& at, std::string_view path, std::string_view text) {
  const auto size = parse_memory(printable(text));
  if (!size) return wrong(at, path, size.error().message);
  request().memory = *size;
}

void Draft::cpu(const SpecNode& at, std::string_view path, std::string_view text) {
  const auto cores = parse_cpu(printable(text));
  if (!cores) return wrong(at, path, cores.error().message);
  request().cpu = *cores;
}

void Draft::gpu(const SpecNode& at, std::string_view path, const std::vector<std::string>& names,
                std::string_view count) {
  if (count == "0" || count.ends_with(":0")) return;  // of none, no model is asked for
  std::string models;
  std::string memory;
  bool differ = false;
  bool any = false;
  for (const std::string& name : names) {
    const Device device = device_of(name);
    if (device.is_a_slice) {
      return wrong(at, path,
                   fmt::format("'{}' is a part of a GPU by MIG, and Gyre imports whole GPUs: ask "
                               "for those, and write 'gpu: 0.5' and 'sharing: mig' by hand",
                               printable(name)),
                   ErrorKind::Unsupported);
    }
    if (device.model.empty() && device.of_a_vendor) {
      changed(path, fmt::format("'{}' names no model of GPU: any is asked for", printable(name)));
      any = true;
      continue;
    }
    if (device.model.empty()) return wrong(at, path, "a GPU without a model");
    differ = differ || (!models.empty() && device.memory != memory);
    memory = device.memory;
    models += (models.empty() ? "" : ",") + device.model;
    if (device.model != name) {
      const std::string as = device.model + (memory.empty() ? "" : ":" + memory);
      changed(path, fmt::format("the GPU '{}' is '{}' for Gyre", printable(name), as));
    }
  }
  if (differ) {
    changed(path, "the models' memory sizes differ, and Gyre asks for one: none is asked for");
    memory.clear();
  }
  std::string grammar = any ? "" : models;
  for (const std::string_view part : {std::string_view(memory), count}) {
    if (part.empty()) continue;
    grammar += (grammar.empty() ? "" : ":") + std::string(part);
  }
  if (grammar.empty() && any) grammar = "1";
  if (grammar.empty()) return;
  Request asked = request();
  asked.gpu_models.clear();
  if (const auto done = parse_gpu(grammar, asked); !done) {
    return wrong(at, path, done.error().message, done.error().kind);
  }
  request() = std::move(asked);
}

std::string aliases_for(Draft& draft, std::string_view script, std::string_view prefix,
                        std::span<const Alias> aliases) {
  std::vector<std::string> used;
  for (std::size_t at = script.find(prefix); at != std::string_view::npos;
       at = script.find(prefix, at + 1)) {
    if (at > 0 && is_word(script[at - 1])) continue;
    std::size_t end = at;
    while (end < script.size() && is_word(script[end])) ++end;
    used.emplace_back(script.substr(at, end - at));
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  std::string lines;
  for (const std::string& name : used) {
    const auto known = std::find_if(aliases.begin(), aliases.end(),
                                    [&](const Alias& it) { return it.name == name; });
    if (known != aliases.end()) {
      lines += fmt::format("export {}={}\n", name, known->value);
    } else if (name.size() > prefix.size() && !is_set(draft, name)) {
      draft.notes.push_back(fmt::format("kept ${}: Gyre does not set it", printable(name)));
    }
  }
  return lines;
}

const SpecNode* child(const SpecNode& map, std::string_view name) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i].name == name) return &map.items[i];
  }
  return nullptr;
}

std::string least_of(Draft& draft, std::string_view path, std::string_view range) {
  if (range.ends_with('+')) return std::string(range.substr(0, range.size() - 1));
  const std::size_t dots = range.find("..");
  if (dots == std::string_view::npos) return std::string(range);
  if (dots + 2 < range.size()) {
    draft.changed(path, fmt::format("'{}' has no bound above now", printable(range)));
  }
  return std::string(range.substr(0, dots));
}

}  // namespace gyre::codec::import
