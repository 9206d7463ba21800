#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "codec/import/importer.h"
#include "codec/job_spec_text.h"

namespace gyre::cli {
namespace {

using codec::import::Format;
using Json = nlohmann::ordered_json;

struct ImportOptions {
  std::string file;
  std::string format = "auto";
  std::string output = "yaml";
};

Format format_named(const std::string& name) {
  for (const Format format :
       {Format::Dstack, Format::Skypilot, Format::Sbatch, Format::Kubernetes}) {
    if (codec::import::to_string(format) == name) return format;
  }
  return Format::Auto;
}

/// One job is a document, several are a YAML stream or a JSON list.
Outcome<std::string> document_of(const std::vector<JobSpec>& jobs, bool as_json) {
  std::string out;
  for (const JobSpec& job : jobs) {
    const auto text = as_json ? codec::to_json(job) : codec::to_yaml(job);
    if (!text) return tl::unexpected(failure_of(text.error()));
    if (!out.empty()) out += as_json ? ",\n" : "---\n";
    out += *text;
  }
  if (!as_json) return out;
  const std::string list = jobs.size() == 1 ? out : "[" + out + "]";
  return Json::parse(list).dump(2) + "\n";
}

Outcome<int> import_file(const ImportOptions& options) {
  const auto text = read_input(options.file);
  if (!text) return tl::unexpected(text.error());
  const auto import = codec::import::import_jobs(*text, format_named(options.format));
  if (!import) {
    Failure failure = failure_of(import.error());
    failure.message = fmt::format("{}: {}", options.file, failure.message);
    return tl::unexpected(std::move(failure));
  }
  const auto document = document_of(import->jobs, options.output == "json");
  if (!document) return tl::unexpected(document.error());
  for (const std::string& note : import->notes) fmt::print(stderr, "{}\n", terminal_safe(note));
  fmt::print("{}", *document);
  return kOk;
}

}  // namespace

void add_import_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "import", "Turn another system's job file into a job spec",
                        "  gyre import train.dstack.yml > job.yaml\n"
                        "  gyre import train.sbatch | gyre submit -\n"
                        "  gyre import --format k8s -o json job.yaml\n\n"
                        "The job spec is on stdout; what was dropped or changed is on stderr, one "
                        "line each. Returns 2\nfor a file that is wrong or of none of these "
                        "systems, 1 for one that asks for what Gyre cannot run.");
  auto options = std::make_shared<ImportOptions>();
  verb->add_option("FILE", options->file, "the file; '-' for stdin")->required();
  verb->add_option("--format", options->format, "whose file it is")
      ->check(CLI::IsMember({"auto", "dstack", "skypilot", "sbatch", "k8s"}))
      ->capture_default_str()
      ->type_name("auto|dstack|skypilot|sbatch|k8s");
  verb->add_option("-o,--output", options->output, "how to print")
      ->check(CLI::IsMember({"yaml", "json"}))
      ->capture_default_str()
      ->type_name("yaml|json");
  on_verb(verb, session, [options] { return import_file(*options); });
}

}  // namespace gyre::cli
