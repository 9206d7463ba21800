#include "apps/ports.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "act/local_node.h"
#include "adapter/nvml/inventory.h"
#include "adapter/process/cgroups.h"
#include "adapter/process/container/host.h"
#include "adapter/process/machine.h"
#include "adapter/sqlite/journal.h"
#ifdef GYRE_HAVE_ADAPTER_NLOPT
#include "adapter/nlopt/minimise.h"
#endif
#include "apps/agent.h"
#include "apps/backup.h"
#include "apps/bare_starts.h"
#include "apps/burn_in.h"
#include "apps/checkpointing.h"
#include "apps/gpus.h"
#include "apps/lab.h"
#include "apps/leadership.h"
#include "apps/serve_simulation.h"
#include "apps/up.h"
#include "base/units.h"

namespace gyre::apps {
namespace {

using Level = cli::Finding::Level;

Result<std::unique_ptr<control::JournalReader>> open_journal(const std::string& path) {
  if (Leadership::is_address(path)) return Leadership::open_reader(path);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return open_journal_file(path);
  if (const auto own = check_own_journal(path); !own) {
    return fail(ErrorKind::NotFound, "{}", own.error().message);
  }
  return open_journal_file(path + "/journal.sqlite");
}

Result<std::unique_ptr<control::Journal>> create_journal(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) {
    return fail(ErrorKind::Conflict, "{} exists; a journal is never overwritten", path);
  }
  // A simulation can be run again; there is nothing to keep safe.
  auto journal = adapter::sqlite::SqliteJournal::open({path, adapter::sqlite::Sync::Off});
  if (!journal) return tl::unexpected(journal.error());
  return std::unique_ptr<control::Journal>(std::move(*journal));
}

cli::Finding examine_gpus(Result<std::vector<act::Gpu>> found, const std::string& state) {
  if (!found && found.error().kind == ErrorKind::Unsupported) {
    return {Level::Warn, "GPUs", found.error().message,
            "install the NVIDIA driver, or declare some: gyre up --virtual-gpus 8xH100:80GB"};
  }
  if (!found) {
    return {Level::Fail, "GPUs", found.error().message, "see what nvidia-smi says"};
  }
  const act::GpuSet offered = offer_found(std::move(*found), state);
  if (offered.devices.empty()) {
    std::string why = offered.left_out.empty() ? "none found" : "";
    for (const std::string& line : offered.left_out) why += (why.empty() ? "" : "; ") + line;
    return {Level::Warn, "GPUs", std::move(why), "see what nvidia-smi says"};
  }
  std::string detail = fmt::format("{} x {} {}", offered.devices.size(), offered.model,
                                   format_memory(offered.memory));
  detail += "; " + sharing_text(offered.sharing, offered.model, offered.memory);
  for (const std::string& line : offered.left_out) detail += "; " + line;
  return {Level::Ok, "GPUs", std::move(detail), ""};
}

std::vector<cli::Finding> examine_machine(const std::string& state_folder) {
  std::vector<cli::Finding> findings;
  const process::CgroupHost groups(fmt::format("gyre-doctor-{}", getpid()));
  const process::Enforcement& kept = groups.enforcement();
  const bool all = kept.cpu && kept.memory && kept.pids;
  for (const std::string& line : kept.lines) {
    findings.push_back({all ? Level::Ok : Level::Warn, "limits", line, ""});
  }
  if (!all) {
    findings.back().remedy =
        "run Gyre as root, or in a cgroup that is delegated to your user "
        "(systemd-run --user --scope -p Delegate=yes gyre up)";
  }
  process::ContainerOptions options;
  options.images = state_folder;
  const process::ContainerHost containers(options);
  for (const std::string& line : containers.lines()) {
    findings.push_back({containers.why_not().empty() ? Level::Ok : Level::Warn, "containers", line,
                        containers.why_not().empty() ? "" : "see docs/guide/containers.md"});
  }
  const auto gpus = nvml::find_gpus();
  findings.push_back(examine_gpus(gpus, state_folder));
  for (cli::Finding& finding : examine_checkpointing(gpus)) findings.push_back(std::move(finding));
  const std::string journal = state_folder + "/journal.sqlite";
  if (access(journal.c_str(), F_OK) == 0) {
    const auto reader = adapter::sqlite::SqliteJournalReader::open(journal);
    findings.push_back(reader ? cli::Finding{Level::Ok, "journal", journal, ""}
                              : cli::Finding{Level::Fail, "journal", reader.error().message,
                                             "choose another state folder, or restore a copy"});
  }
  return findings;
}

sim::Minimise minimise() {
#ifdef GYRE_HAVE_ADAPTER_NLOPT
  return nlopt_search::minimise;
#else
  return {};
#endif
}

}  // namespace

cli::Ports make_ports() {
  return {up,
          agent,
          open_journal,
          create_journal,
          examine_machine,
          serve_simulation,
          bare_starts,
          {create_backup, verify_backup, restore_backup},
          minimise(),
          burn_in};
}

}  // namespace gyre::apps
