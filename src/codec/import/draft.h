#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/import/importer.h"
#include "codec/spec_tree.h"

namespace gyre::codec::import {

/// A job on its way from another system. Every reader below notes what it drops or changes, and
/// keeps the first error.
struct Draft {
  JobSpec spec;
  std::vector<std::string> notes;
  std::optional<Error> error;

  Draft() { spec.tasks.resize(1); }
  Request& request() { return spec.tasks[0].request; }
  std::int32_t& nodes() { return spec.tasks[0].count; }

  void dropped(std::string_view what, std::string_view why);
  void changed(std::string_view what, std::string_view how);
  void wrong(const SpecNode& at, std::string_view path, std::string_view message,
             ErrorKind kind = ErrorKind::Invalid);

  void name(std::string_view text);
  void variable(std::string_view name, std::string_view value);
  void directory(std::string_view path, std::string_view text);
  void image(const SpecNode& node, const std::string& path);

  std::optional<std::string> text(const SpecNode& node, std::string_view path);  // any scalar
  std::optional<std::int64_t> whole(const SpecNode& node, std::string_view path, std::int64_t least,
                                    std::int64_t most);
  std::optional<bool> yes_or_no(const SpecNode& node, std::string_view path);
  void nodes_from(const SpecNode& node, std::string_view path);
  void memory(const SpecNode& at, std::string_view path, std::string_view text);
  void cpu(const SpecNode& at, std::string_view path, std::string_view text);

  /// Devices of any of `names`, as other systems write them ("A100-80GB", "nvidia-tesla-t4").
  void gpu(const SpecNode& at, std::string_view path, const std::vector<std::string>& names,
           std::string_view count);
};

/// A variable that the other system sets, and the shell text that gives it under Gyre.
struct Alias {
  std::string_view name;
  std::string value;
};

/// Shell lines that set those variables that `script` names. One with `prefix` that is not among
/// them is noted: the script will find it unset.
std::string aliases_for(Draft& draft, std::string_view script, std::string_view prefix,
                        std::span<const Alias> aliases);

/// One field of a map: read, or dropped for a reason.
template <class Job>
struct Rule {
  std::string_view name;
  void (*read)(Job&, const SpecNode&, const std::string& path) = nullptr;
  std::string_view why = "Gyre has nothing like it";
};

/// Each field by its rule; one without a rule is dropped as unknown. An explicit null is absent.
template <class Job>
void read_fields(Job& job, const SpecNode& map, const std::string& path,
                 std::span<const Rule<Job>> rules) {
  if (map.kind != SpecNode::Kind::Map) return job.wrong(map, path, "expected fields");
  for (std::size_t i = 0; i < map.items.size(); ++i) {
    const std::string& key = map.keys[i].name;
    const std::string where = path.empty() ? key : path + "." + key;
    if (map.items[i].kind == SpecNode::Kind::Null) continue;
    const Rule<Job>* rule = nullptr;
    for (const Rule<Job>& it : rules) {
      if (it.name == key) rule = &it;
    }
    if (rule == nullptr) {
      job.dropped(where, "it is not known");
    } else if (rule->read == nullptr) {
      job.dropped(where, rule->why);
    } else {
      rule->read(job, map.items[i], where);
    }
  }
}

const SpecNode* child(const SpecNode& map, std::string_view name);  // nullptr: no such field

/// "64GB..128GB" and "4+" ask for at least what `least` holds; the bound above is noted.
std::string least_of(Draft& draft, std::string_view path, std::string_view range);

/// The formats; each gives a draft a job.
Result<std::vector<Draft>> from_dstack(const SpecNode& root);
Result<std::vector<Draft>> from_skypilot(std::span<const SpecNode> documents);
Result<std::vector<Draft>> from_sbatch(std::string_view text);
Result<std::vector<Draft>> from_kubernetes(std::span<const SpecNode> documents);

}  // namespace gyre::codec::import
