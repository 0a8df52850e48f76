// A CSI driver for one node: a volume is a directory, a snapshot a copy of it. It registers itself with the kubelet.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const driver = "directory.csi.kanfunc.io"

func topology(node string) *csi.Topology {
	return &csi.Topology{Segments: map[string]string{driver + "/node": node}}
}

func main() {
	name := flag.String("node", "", "name of the node")
	state := flag.String("state", "", "directory of volumes and snapshots")
	kubelet := flag.String("kubelet", "", "root directory of the kubelet")
	flag.Parse()
	volumes, snapshots := store{filepath.Join(*state, "volumes")}, store{filepath.Join(*state, "snapshots")}
	socket := filepath.Join(*kubelet, "plugins", driver, "csi.sock")
	for _, each := range []string{volumes.directory, snapshots.directory} {
		must(os.MkdirAll(each, 0o755))
	}
	who := identity{socket: socket}
	server := grpc.NewServer(grpc.UnaryInterceptor(failuresLogged))
	csi.RegisterIdentityServer(server, who)
	csi.RegisterControllerServer(server, &controller{node: *name, volumes: volumes, snapshots: snapshots})
	csi.RegisterNodeServer(server, &node{name: *name, volumes: volumes})
	registrar := grpc.NewServer()
	registration.RegisterRegistrationServer(registrar, who)
	go func() { must(server.Serve(listen(socket))) }()
	must(registrar.Serve(listen(filepath.Join(*kubelet, "plugins_registry", driver+"-reg.sock"))))
}

func failuresLogged(ctx context.Context, request any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, request)
	if err != nil {
		log.Printf("%s: %v", call.FullMethod, err)
	}
	return answer, err
}

func listen(socket string) net.Listener {
	must(os.MkdirAll(filepath.Dir(socket), 0o750))
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	must(err)
	return listener
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
