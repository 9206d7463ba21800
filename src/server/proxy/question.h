#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "domain/service.h"
#include "server/proxy/loop.h"
#include "server/proxy/routes.h"

namespace gyre::server::proxy {

/// What came of asking a replica. What is not known is neither good nor bad.
enum class Answer : std::uint8_t {
  Good,
  Bad,
  Unheard,  // nothing came back: of the replica, or of its node
  Unasked,  // it could not be asked now, for a reason that is not the replica's
  Unable,   // its node cannot ask that, now or later
};

using Verdict = std::function<void(Answer answer, std::string detail)>;

/// One question to one replica that is open. Ends by itself within its probe's timeout; whoever
/// waits is told once, on the loop's thread.
class Question {
 public:
  virtual ~Question() = default;
  /// Nobody waits for it any more: leaves nothing behind.
  virtual void give_up() = 0;
};

/// Connects to a replica and, where the probe is Http, asks it.
std::shared_ptr<Question> ask_network(Loop& loop, const Probe& probe,
                                      const boost::asio::ip::tcp::endpoint& where, Verdict done);

/// Runs the probe's command inside of the replica. One that does not end in time, or writes without
/// end, is ended with all that it started.
std::shared_ptr<Question> ask_command(Loop& loop, const Probe& probe, const Endpoint& replica,
                                      Verdict done);

/// What is asked, for a person.
std::string question_text(const Probe& probe);

}  // namespace gyre::server::proxy
