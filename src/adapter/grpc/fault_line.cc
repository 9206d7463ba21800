#include "adapter/grpc/fault_line.h"

#include <grpcpp/grpcpp.h>
#include <gyre.grpc.pb.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "adapter/grpc/channel.h"
#include "adapter/grpc/wire_faults.h"

namespace gyre::adapter::rpc {
namespace {

constexpr std::chrono::seconds kPause{1};
constexpr std::chrono::seconds kPauseOfOld{60};  // where the server does not know of faults

}  // namespace

struct FaultLine::Impl {
  explicit Impl(FaultLineOptions how) : options(std::move(how)), thread([this] { run(); }) {}
  ~Impl() {
    {
      const std::lock_guard guard(mutex);
      stop = true;
      if (context != nullptr) context->TryCancel();
    }
    changed.notify_all();
    thread.join();
  }

  void run() {
    for (std::size_t turn = 0;; ++turn) {
      const bool known = stay(options.servers[turn % options.servers.size()]);
      std::unique_lock lock(mutex);
      changed.wait_for(lock, known ? kPause : kPauseOfOld, [this] { return stop; });
      if (stop) return;
    }
  }

  /// One connection to its end; false where that server knows of no faults.
  bool stay(const std::string& server) {
    ::grpc::ClientContext present;
    {
      const std::lock_guard guard(mutex);
      if (stop) return true;
      context = &present;
    }
    const auto stub = v1::Fleet::NewStub(open_channel(server, options.identity()));
    const auto stream = stub->TakeFaults(&present);
    v1::FaultBegun able;
    write(act::FaultBegun{0, {}, options.able()}, able);
    stream->Write(able);
    v1::Fault in;
    while (stream->Read(&in)) {
      const auto order = read(in);
      act::FaultBegun begun{in.id(), {}};
      begun.begun = order ? options.obey(*order) : tl::unexpected(order.error());
      v1::FaultBegun out;
      write(begun, out);
      if (!order || !order->mend) stream->Write(out);
    }
    const ::grpc::Status status = stream->Finish();
    const std::lock_guard guard(mutex);
    context = nullptr;
    if (status.error_code() != ::grpc::StatusCode::UNIMPLEMENTED) return true;
    if (!std::exchange(told, true)) {
      options.notice("--chaos: this server is of a release that breaks no nodes on purpose");
    }
    return false;
  }

  const FaultLineOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  ::grpc::ClientContext* context = nullptr;  // of the present connection
  bool stop = false;
  bool told = false;
  std::thread thread;
};

FaultLine::FaultLine(FaultLineOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
FaultLine::~FaultLine() = default;

}  // namespace gyre::adapter::rpc
