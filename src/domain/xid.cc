#include "domain/xid.h"

#include <algorithm>
#include <array>

namespace gyre {
namespace {

enum class Class : std::uint8_t { App, Dev, Info };
using enum Class;

struct Row {
  std::int32_t xid;
  Class what;
  std::string_view description;
  std::string_view action;
  std::string_view follow_up;
};

// Facts of NVIDIA's Xid catalogue (A100 and newer), as leptonai/gpud (Apache-2.0, commit 4a8de33a)
// holds them; descriptions cut, entries that it calls unused left out. App: the immediate action is
// to restart the application. Info: it is to do nothing. Dev: all others.
constexpr std::array<Row, 109> kRows{{
    {8, App, "GPU stopped processing", "RESTART_APP", "CONTACT_SUPPORT"},
    {11, App, "Invalid or corrupted push buffer stream", "RESTART_APP", "CHECK_APP/CUDA"},
    {13, App, "Graphics Engine Exception", "RESTART_APP", "WORKFLOW_XID_13"},
    {25, App, "Invalid or illegal push buffer stream", "RESTART_APP", "CHECK_APP/CUDA"},
    {31, App, "GPU memory page fault", "RESTART_APP", "WORKFLOW_XID_31"},
    {32, App, "Invalid or corrupted push buffer stream", "RESTART_APP", "CHECK_APP/CUDA"},
    {37, Info, "Driver firmware error", "IGNORE", "CHECK_APP/CUDA"},
    {38, Info, "Driver firmware error", "IGNORE", "CONTACT_SUPPORT"},
    {39, App, "Copy Engine Exception", "RESTART_APP", "CONTACT_SUPPORT"},
    {40, App, "Copy Engine Exception", "RESTART_APP", "CONTACT_SUPPORT"},
    {41, App, "Copy Engine Exception", "RESTART_APP", "CONTACT_SUPPORT"},
    {43, Info, "GPU stopped processing", "IGNORE", "CONTACT_SUPPORT"},
    {44, Info, "Graphics Engine fault during context switch", "IGNORE", "CONTACT_SUPPORT"},
    {45, App, "Preemptive cleanup, due to previous errors", "WORKFLOW_XID_45",
     "Solo: RESTART_FM Not Solo: IGNORE (follow other Xid)"},
    {46, Dev, "GPU stopped processing", "RESET_GPU", "CONTACT_SUPPORT"},
    {48, Dev, "Double Bit ECC Error", "WORKFLOW_XID_48", "WORKFLOW_XID_48"},
    {54, Dev, "Auxiliary power is not connected to the GPU board", "CHECK_MECHANICALS",
     "CONTACT_SUPPORT"},
    {60, App, "Video processor exception", "RESTART_APP", "INVESTIGATE_SW"},
    {62, Dev, "Internal micro-controller halt (newer drivers)", "RESET_GPU", "CONTACT_SUPPORT"},
    {63, Info, "GPU memory remapping event", "IGNORE", "IGNORE"},
    {64, Dev, "GPU memory remapping failure", "RESET_GPU", "CONTACT_SUPPORT"},
    {66, Info, "Illegal access by driver", "IGNORE", "INVESTIGATE_SW"},
    {67, Info, "Illegal access by driver", "IGNORE", "CONTACT_SUPPORT"},
    {68, App, "NVDEC0 Exception", "RESTART_APP", "CONTACT_SUPPORT"},
    {69, App, "Graphics Engine class error", "RESTART_APP", "CHECK_APP/CUDA"},
    {70, App, "CE3: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {71, App, "CE4: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {72, App, "CE5: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {74, Dev, "NVLINK Error", "WORKFLOW_NVLINK_ERR", "CONTACT_SUPPORT"},
    {75, App, "CE6: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {76, App, "CE7: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {77, App, "CE8: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {78, Dev, "vGPU Start Error", "UPDATE_SWFW", "UPDATE_SWFW"},
    {79, Dev, "GPU has fallen off the bus", "RESTART_BM", "CONTACT_SUPPORT"},
    {80, App, "Corrupted data sent to GPU", "RESTART_APP", "CHECK_APP/CUDA"},
    {82, App, "NVJPG0 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {83, App, "NVDEC1 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {84, App, "NVDEC2 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {85, App, "CE9: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {86, App, "OFA Exception", "RESTART_APP", "CONTACT_SUPPORT"},
    {88, App, "NVDEC3 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {89, App, "NVDEC4 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {92, Info, "High single-bit ECC error rate", "IGNORE", "CONTACT_SUPPORT"},
    {93, Info, "Non-fatal violation of provisioned InfoROM wear limit", "IGNORE",
     "CONTACT_SUPPORT"},
    {94, App, "Contained memory error", "RESTART_APP", "IGNORE (sympathetic)"},
    {95, Dev, "Uncontained memory error", "RESET_GPU", "IGNORE (sympathetic)"},
    {96, App, "NVDEC5 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {97, App, "NVDEC6 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {98, App, "NVDEC7 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {99, App, "NVJPG1 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {100, App, "NVJPG2 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {101, App, "NVJPG3 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {102, App, "NVJPG4 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {103, App, "NVJPG5 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {104, App, "NVJPG6 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {105, App, "NVJPG7 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {106, Info, "SMBPBI Test Message", "IGNORE", "IGNORE"},
    {107, Info, "SMBPBI Test Message Silent", "IGNORE", "IGNORE"},
    {109, Dev, "Context Switch Timeout Error", "RESET_GPU", "CONTACT_SUPPORT"},
    {110, Dev, "Security Fault Error", "RESET_GPU", "INVESTIGATE_SW"},
    {119, Dev, "GSP RPC Timeout", "RESET_GPU", "INVESTIGATE_SW"},
    {120, Dev, "GSP Error", "RESET_GPU", "INVESTIGATE_SW"},
    {121, Info, "C2C Error", "IGNORE", "CONTACT_SUPPORT"},
    {126, App, "CE10: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {127, App, "CE11: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {128, App, "CE12: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {129, App, "CE13: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {130, App, "CE14: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {131, App, "CE15: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {132, App, "CE16: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {133, App, "CE17: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {134, App, "CE18: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {135, App, "CE19: Unknown Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {136, Dev, "Link Training Failed", "RESET_GPU", "INVESTIGATE_LINK_SI"},
    {137, Info, "NVLink Privilege Error", "IGNORE", "XID_137_FLOW"},
    {139, App, "OFA1 Error", "RESTART_APP", "CONTACT_SUPPORT"},
    {140, Dev, "ECC Unrecovered Error", "RESET_GPU", "CONTACT_SUPPORT"},
    {141, Info, "CUDA Fast Path Error", "IGNORE", "CONTACT_SUPPORT"},
    {142, Dev, "NVENC3 Error", "CONTACT_SUPPORT", ""},
    {143, Dev, "GPU Initialization Error", "RESET_GPU", "CONTACT_SUPPORT"},
    {144, Dev, "NVLINK: SAW Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {145, Dev, "NVLINK: RLW Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {146, Dev, "NVLINK: TLW Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {147, Dev, "NVLINK: TREX Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {148, Dev, "NVLINK: NVLPW_CTRL Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {149, Dev, "NVLINK: NETIR Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {150, Dev, "NVLINK: MSE Error", "WORKFLOW_NVLINK5_ERR", "WORKFLOW_NVLINK5_ERR"},
    {151, Dev, "Key rotation Error", "RESTART_VM", "CONTACT_SUPPORT"},
    {152, Info, "DLA SMMU Error", "IGNORE", "CONTACT_SUPPORT"},
    {153, Info, "DLA timeout Error", "IGNORE", "CONTACT_SUPPORT"},
    {154, Info, "GPU Recovery Action Changed", "XID_154",
     "N/A Informational only regarding another Xid"},
    {155, Dev, "NVLINK: SW Defined Error", "RESET_GPU", "INVESTIGATE_SW_USER"},
    {156, Dev, "Resource Retirement Event", "RESET_GPU", "IGNORE"},
    {157, Info, "Resource Retirement Failure", "IGNORE", "CONTACT_SUPPORT"},
    {158, Dev, "GPU Fatal Timeout", "RESET_GPU", "CONTACT_SUPPORT"},
    {159, App, "CHI Non-Data Error", "CHECK_UVM", "SYMPATHETIC_REPORT_SOLO"},
    {160, Info, "Channel Retirement Event", "IGNORE", "INVESTIGATE_SW"},
    {161, Info, "Channel Retirement Failure", "IGNORE", "INVESTIGATE_SW"},
    {162, Info, "Power Smoothing HW Circuitry capability reengaged", "", ""},
    {163, Info, "Power Smoothing HW Circuitry capability disengaged", "", ""},
    {164, Info, "Power Smoothing HW Circuitry low lifetime reached", "", ""},
    {165, Info, "Power Smoothing HW Circuitry lifetime exhausted", "", ""},
    {166, Info, "CC traffic seen prior to link properly being configured for ", "", ""},
    {167, Info, "PCIE_FATAL_TIMEOUT", "", ""},
    {168, Info, "Errors found in WPR (write protected region)", "", ""},
    {169, Info, "Internal micro-controller halt", "", ""},
    {170, Info, "Interrupt seen in CC mode", "", ""},
    {171, Info, "Additional to Xid 48 providing more details on particulars o", "", ""},
    {172, Info, "Additional to Xid 48 providing more details on particulars o", "", ""},
}};

}  // namespace

XidMeaning meaning_of_xid(std::int32_t xid) {
  const auto row =
      std::lower_bound(kRows.begin(), kRows.end(), xid,
                       [](const Row& one, std::int32_t wanted) { return one.xid < wanted; });
  if (row == kRows.end() || row->xid != xid) {
    return {xid, Symptom::UnknownGpuError, false, "not in the catalogue", "", ""};
  }
  const Symptom symptom = row->what == Dev ? Symptom::DeviceFault : Symptom::ApplicationFault;
  return {xid, symptom, row->what == Info, row->description, row->action, row->follow_up};
}

}  // namespace gyre
