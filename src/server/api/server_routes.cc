// GET /v1/server
#include <nlohmann/json.hpp>
#include <utility>

#include "base/units.h"
#include "codec/utc.h"
#include "domain/healing.h"
#include "server/api/api.h"
#include "server/http/server.h"

namespace gyre::server {
namespace {

/// What is asked of the core.
struct CoreFacts {
  std::string policy;
  EventSeq last_event;
  std::size_t jobs = 0;
  IdleSpec idle;
};

void write_storage(JsonText& out, live::Storage* storage) {
  const auto read = storage != nullptr ? storage->read() : live::Storage::Read{};
  out.member("status", to_string(read.state)).member("detail", read.detail);
}

void write_backup(JsonText& out, const std::optional<ServerFacts::Backup>& backup) {
  out.key("last_backup");
  if (!backup) {
    out.null();
    return;
  }
  out.open('{').member("at", format_utc(backup->at)).member("file", backup->file).close('}');
}

void write_journal(JsonText& out, const ServerFacts& facts, const CoreFacts& core,
                   live::Storage* storage) {
  const ServerFacts::Journal& journal = facts.journal;
  out.key("journal").open('{').member("store", journal.store).member("place", journal.place);
  out.member("sync", journal.sync).member("cluster_id", journal.cluster_id);
  out.member("role", journal.shared ? "leader" : "alone").member("term", journal.term);
  out.member("last_event", core.last_event.value).member("bytes", journal.bytes).key("disk");
  if (journal.disk) {
    out.open('{').member("free_bytes", journal.disk->free_bytes);
    out.member("total_bytes", journal.disk->total_bytes).close('}');
  } else {
    out.null();
  }
  write_storage(out, storage);
  write_backup(out, facts.last_backup);
  out.close('}');
}

void write_agents(JsonText& out, const std::optional<ServerFacts::Agents>& agents) {
  out.key("agents");
  if (!agents) {
    out.null();
    return;
  }
  out.open('{').member("address", agents->address);
  out.member("lease_s", agents->lease.ns / seconds(1).ns);
  out.member("tokens_open", agents->roster.tokens_open);
  out.member("authority_expires_at", format_utc(agents->roster.expires_at)).key("nodes").open('[');
  for (const auto& member : agents->roster.members) {
    out.open('{').member("name", member.node);
    write_time(out, "certificate_expires_at", member.expires_at);
    out.close('}');
  }
  out.close(']').close('}');
}

void write_services_door(JsonText& out, const std::optional<ServerFacts::Services>& services) {
  out.key("services");
  if (!services) {
    out.null();
    return;
  }
  out.open('{').member("url", services->url);
  write_time(out, "certificate_expires_at", services->certificate_expires_at);
  out.close('}');
}

void write_logins(JsonText& out, const std::optional<ServerFacts::Logins>& logins) {
  out.key("registry_logins");
  if (!logins) {
    out.null();
    return;
  }
  out.open('{').key("hosts").open('[');
  for (const std::string& host : logins->hosts) out.value(host);
  out.close(']').member("problem", logins->problem).close('}');
}

void write_idle(JsonText& out, const IdleSpec& idle) {
  out.key("idle");
  if (!idle.active()) {
    out.null();
    return;
  }
  out.open('{').member("below_percent", idle.below_percent);
  out.member("for_s", idle.window.ns / seconds(1).ns)
      .member("grace_s", idle.grace.ns / seconds(1).ns);
  out.key("exempt").open('[');
  for (const std::string& queue : idle.exempt) out.value(queue);
  out.close(']').close('}');
}

void write_limits(JsonText& out, const ApiOptions& options) {
  const http::Limits limits;
  out.key("limits").open('{').member("connections", limits.connections_max);
  out.member("request_bytes", limits.parser.body_bytes_max)
      .member("page_entries", options.page_max);
  out.member("events_kept", kEventsKept).member("incidents_kept", kIncidentsMax);
  out.member("forecasts_at_once", kLooksAheadMax).close('}');
}

}  // namespace

std::string write_backup_note(const ServerFacts::Backup& backup) {
  JsonText out;
  out.open('{').member("at", format_utc(backup.at)).member("file", backup.file).close('}');
  return out.take() + "\n";
}

std::optional<ServerFacts::Backup> read_backup_note(const std::string& text) {
  const auto note = nlohmann::json::parse(text, nullptr, false);
  const auto word = [&note](const char* name) {
    return note.is_object() && note.contains(name) && note[name].is_string()
               ? note[name].get<std::string>()
               : "";
  };
  const auto at = codec::parse_utc(word("at"));
  if (!at || word("file").empty()) return std::nullopt;
  return ServerFacts::Backup{*at, word("file")};
}

void Api::show_server(const Call& call) const {
  const auto told = options_.facts ? options_.facts() : Result<ServerFacts>{ServerFacts{}};
  if (!told) return call.fail(http::problem_of(told.error()));
  ask<CoreFacts>(
      call,
      [](const auto& core) {
        return CoreFacts{core.policy().name, core.last_event(), core.jobs().size(),
                         core.idle().spec()};
      },
      [this, facts = *told](const CoreFacts& core) {
        JsonText out;
        out.open('{').member("version", GYRE_VERSION).member("policy", core.policy);
        if (options_.facts) {
          out.member("started_at", format_utc(facts.started_at));
          write_journal(out, facts, core, options_.storage);
        } else {
          out.key("started_at").null().key("journal").null();
        }
        out.member("jobs_known", core.jobs);
        write_agents(out, facts.agents);
        write_services_door(out, facts.services);
        write_logins(out, facts.logins);
        write_idle(out, core.idle);
        write_limits(out, options_);
        out.close('}');
        return json_response(std::move(out));
      });
}

}  // namespace gyre::server
