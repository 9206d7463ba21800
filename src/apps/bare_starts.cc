#include "apps/bare_starts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "adapter/oci/image_store.h"
#include "adapter/process/container/host.h"
#include "adapter/process/container/oci_config.h"

namespace gyre::apps {
namespace {

namespace fs = std::filesystem;
std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class RuntimeStarts final : public cli::BareStarts {
 public:
  RuntimeStarts(std::string folder, process::RuntimeFacts facts)
      : folder_(std::move(folder)), facts_(std::move(facts)) {}
  ~RuntimeStarts() override {
    std::error_code error;
    fs::remove_all(folder_, error);
  }

  Result<Duration> run() override {
    const std::int64_t before = now_ns();
    const pid_t pid = ::fork();
    if (pid == 0) become_runtime();
    int status = -1;
    if (pid < 0 || ::waitpid(pid, &status, 0) < 0 || status != 0) {
      return fail(ErrorKind::Internal, "{} did not run the image's /bin/true", facts_.runtime);
    }
    const int file = ::open((folder_ + "/synced").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const bool synced = file >= 0 && ::write(file, "durable\n", 8) == 8 && ::fdatasync(file) == 0;
    if (file >= 0) ::close(file);
    if (!synced) return fail(ErrorKind::Internal, "cannot write in {}", folder_);
    return Duration{now_ns() - before};
  }

 private:
  [[noreturn]] void become_runtime() const {
    const bool ready = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
    if (ready && !facts_.hide_cgroup2.empty()) ::umount2(facts_.hide_cgroup2.c_str(), MNT_DETACH);
    const std::string state = folder_ + "/state";
    const std::string bundle = folder_ + "/bundle";
    if (ready && facts_.is_crun) {
      ::execl(facts_.runtime.c_str(), "crun", "--root", state.c_str(), "--cgroup-manager",
              "disabled", "run", "--bundle", bundle.c_str(), "bare", nullptr);
    }
    if (ready) {
      ::execl(facts_.runtime.c_str(), "runc", "--root", state.c_str(), "run", "--bundle",
              bundle.c_str(), "bare", nullptr);
    }
    ::_exit(127);
  }

  const std::string folder_;
  const process::RuntimeFacts facts_;
};

}  // namespace

Result<std::unique_ptr<cli::BareStarts>> bare_starts(const std::string& image) {
  process::RuntimeFacts facts = process::find_runtime();
  if (::geteuid() != 0 || facts.runtime.empty()) {
    return fail(ErrorKind::Unsupported, "the bare runtime needs root, and crun or runc");
  }
  const auto ref = parse_image_ref(image);
  if (!ref) return tl::unexpected(ref.error());
  if (ref->path.empty()) return fail(ErrorKind::Unsupported, "it needs the image as a path");
  std::string folder = (fs::temp_directory_path() / "gyre-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail(ErrorKind::Internal, "no temporary folder");
  auto starts = std::make_unique<RuntimeStarts>(folder, std::move(facts));
  oci::OciImageStore store({.folder = folder + "/images", .limits = {}}, nullptr);
  const auto prepared = store.prepare({*ref}, [] { return false; });
  if (!prepared) return tl::unexpected(prepared.error());
  if (prepared->layers.size() != 1) {
    return fail(ErrorKind::Unsupported, "the bare runtime is given an image of one layer");
  }
  fs::create_directories(folder + "/bundle");
  std::ofstream(folder + "/bundle/config.json") << process::plain_config(prepared->layers.front());
  return starts;
}

}  // namespace gyre::apps
