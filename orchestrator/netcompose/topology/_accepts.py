# Generated from schemas/topology-v1.schema.json by `python -m netcompose.topology.generate`; do not edit.
"""Whether a document is valid; why not is told by netcompose.topology.schema."""

import re


class Refused(Exception):
    """The document is not valid."""


class _Patterns(dict):
    def __missing__(self, pattern):
        # "$" also matches before a newline at the end; nobody means that.
        self[pattern] = compiled = re.compile(pattern.replace("$", "\\Z"))
        return compiled


_PATTERNS = _Patterns()
_NoneType = type(None)

def validate(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "version" in data_keys:
            data_keys.remove("version")
            data__version = data["version"]
            if not isinstance(data__version, (int)) and not (isinstance(data__version, float) and data__version.is_integer()) or isinstance(data__version, bool):
                raise Refused
            if not (isinstance(data__version, (int, float)) and not isinstance(data__version, bool) and data__version == 1):
                raise Refused
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, (str)):
                raise Refused
            if isinstance(data__name, str):
                if not _PATTERNS['^[a-z0-9][a-z0-9-]{0,30}$'].search(data__name):
                    raise Refused
        if "vars" in data_keys:
            data_keys.remove("vars")
            data__vars = data["vars"]
            if not isinstance(data__vars, (dict, _NoneType)):
                raise Refused
            data__vars_is_dict = isinstance(data__vars, dict)
            if data__vars_is_dict:
                data__vars_keys = set(data__vars.keys())
                for data__vars_key in data__vars_keys:
                    if data__vars_key not in []:
                        data__vars_value = data__vars.get(data__vars_key)
                data__vars_len = len(data__vars)
                if data__vars_len != 0:
                    data__vars_property_names = True
                    for data__vars_key in data__vars:
                        try:
                            validate____defs_variablename(data__vars_key)
                        except Refused:
                            data__vars_property_names = False
                    if not data__vars_property_names:
                        raise Refused
        if "default_host" in data_keys:
            data_keys.remove("default_host")
            data__defaulthost = data["default_host"]
            validate____defs_name(data__defaulthost)
        if "hosts" in data_keys:
            data_keys.remove("hosts")
            data__hosts = data["hosts"]
            if not isinstance(data__hosts, (dict)):
                raise Refused
            data__hosts_is_dict = isinstance(data__hosts, dict)
            if data__hosts_is_dict:
                data__hosts_len = len(data__hosts)
                if data__hosts_len < 1:
                    raise Refused
                data__hosts_keys = set(data__hosts.keys())
                for data__hosts_key in data__hosts_keys:
                    if data__hosts_key not in []:
                        data__hosts_value = data__hosts.get(data__hosts_key)
                        validate____defs_host(data__hosts_value)
                if data__hosts_len != 0:
                    data__hosts_property_names = True
                    for data__hosts_key in data__hosts:
                        try:
                            validate____defs_name(data__hosts_key)
                        except Refused:
                            data__hosts_property_names = False
                    if not data__hosts_property_names:
                        raise Refused
        if "parents" in data_keys:
            data_keys.remove("parents")
            data__parents = data["parents"]
            if not isinstance(data__parents, (dict)):
                raise Refused
            data__parents_is_dict = isinstance(data__parents, dict)
            if data__parents_is_dict:
                data__parents_keys = set(data__parents.keys())
                for data__parents_key in data__parents_keys:
                    if data__parents_key not in []:
                        data__parents_value = data__parents.get(data__parents_key)
                        validate____defs_parent(data__parents_value)
                data__parents_len = len(data__parents)
                if data__parents_len != 0:
                    data__parents_property_names = True
                    for data__parents_key in data__parents:
                        try:
                            validate____defs_name(data__parents_key)
                        except Refused:
                            data__parents_property_names = False
                    if not data__parents_property_names:
                        raise Refused
        if "subnets" in data_keys:
            data_keys.remove("subnets")
            data__subnets = data["subnets"]
            if not isinstance(data__subnets, (dict)):
                raise Refused
            data__subnets_is_dict = isinstance(data__subnets, dict)
            if data__subnets_is_dict:
                data__subnets_keys = set(data__subnets.keys())
                for data__subnets_key in data__subnets_keys:
                    if data__subnets_key not in []:
                        data__subnets_value = data__subnets.get(data__subnets_key)
                        validate____defs_namedsubnet(data__subnets_value)
                data__subnets_len = len(data__subnets)
                if data__subnets_len != 0:
                    data__subnets_property_names = True
                    for data__subnets_key in data__subnets:
                        try:
                            validate____defs_name(data__subnets_key)
                        except Refused:
                            data__subnets_property_names = False
                    if not data__subnets_property_names:
                        raise Refused
        if "networks" in data_keys:
            data_keys.remove("networks")
            data__networks = data["networks"]
            if not isinstance(data__networks, (dict)):
                raise Refused
            data__networks_is_dict = isinstance(data__networks, dict)
            if data__networks_is_dict:
                data__networks_keys = set(data__networks.keys())
                for data__networks_key in data__networks_keys:
                    if data__networks_key not in []:
                        data__networks_value = data__networks.get(data__networks_key)
                        validate____defs_network(data__networks_value)
                data__networks_len = len(data__networks)
                if data__networks_len != 0:
                    data__networks_property_names = True
                    for data__networks_key in data__networks:
                        try:
                            validate____defs_name(data__networks_key)
                        except Refused:
                            data__networks_property_names = False
                    if not data__networks_property_names:
                        raise Refused
        if "containers" in data_keys:
            data_keys.remove("containers")
            data__containers = data["containers"]
            if not isinstance(data__containers, (dict)):
                raise Refused
            data__containers_is_dict = isinstance(data__containers, dict)
            if data__containers_is_dict:
                data__containers_keys = set(data__containers.keys())
                for data__containers_key in data__containers_keys:
                    if data__containers_key not in []:
                        data__containers_value = data__containers.get(data__containers_key)
                        validate____defs_container(data__containers_value)
                data__containers_len = len(data__containers)
                if data__containers_len != 0:
                    data__containers_property_names = True
                    for data__containers_key in data__containers:
                        try:
                            validate____defs_name(data__containers_key)
                        except Refused:
                            data__containers_property_names = False
                    if not data__containers_property_names:
                        raise Refused
        if "links" in data_keys:
            data_keys.remove("links")
            data__links = data["links"]
            if not isinstance(data__links, (list, tuple)):
                raise Refused
            data__links_is_list = isinstance(data__links, (list, tuple))
            if data__links_is_list:
                data__links_len = len(data__links)
                for data__links_x, data__links_item in enumerate(data__links):
                    validate____defs_link(data__links_item)
        for data_key, data_val in data.items():
            if _PATTERNS['^x-'].search(data_key):
                if data_key in data_keys:
                    data_keys.remove(data_key)
        if data_keys:
            raise Refused
    return data

def validate____defs_link(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['endpoints']) - data.keys()
        if data__missing_keys:
            raise Refused
        data_keys = set(data.keys())
        if "endpoints" in data_keys:
            data_keys.remove("endpoints")
            data__endpoints = data["endpoints"]
            if not isinstance(data__endpoints, (list, tuple)):
                raise Refused
            data__endpoints_is_list = isinstance(data__endpoints, (list, tuple))
            if data__endpoints_is_list:
                data__endpoints_len = len(data__endpoints)
                if data__endpoints_len < 2:
                    raise Refused
                if data__endpoints_len > 2:
                    raise Refused
                for data__endpoints_x, data__endpoints_item in enumerate(data__endpoints):
                    if not isinstance(data__endpoints_item, (str)):
                        raise Refused
                    if isinstance(data__endpoints_item, str):
                        if not _PATTERNS['^[^:]+:[^:]+$'].search(data__endpoints_item):
                            raise Refused
        if "addresses" in data_keys:
            data_keys.remove("addresses")
            data__addresses = data["addresses"]
            if not isinstance(data__addresses, (list, tuple)):
                raise Refused
            data__addresses_is_list = isinstance(data__addresses, (list, tuple))
            if data__addresses_is_list:
                data__addresses_len = len(data__addresses)
                if data__addresses_len < 2:
                    raise Refused
                if data__addresses_len > 2:
                    raise Refused
                for data__addresses_x, data__addresses_item in enumerate(data__addresses):
                    data__addresses_item_any_of_count1 = 0
                    if not data__addresses_item_any_of_count1:
                        try:
                            validate____defs_text(data__addresses_item)
                            data__addresses_item_any_of_count1 += 1
                        except Refused: pass
                    if not data__addresses_item_any_of_count1:
                        try:
                            if not isinstance(data__addresses_item, (list, tuple)):
                                raise Refused
                            data__addresses_item_is_list = isinstance(data__addresses_item, (list, tuple))
                            if data__addresses_item_is_list:
                                data__addresses_item_len = len(data__addresses_item)
                                for data__addresses_item_x, data__addresses_item_item in enumerate(data__addresses_item):
                                    validate____defs_text(data__addresses_item_item)
                            data__addresses_item_any_of_count1 += 1
                        except Refused: pass
                    if not data__addresses_item_any_of_count1:
                        try:
                            if not isinstance(data__addresses_item, (_NoneType)):
                                raise Refused
                            data__addresses_item_any_of_count1 += 1
                        except Refused: pass
                    if not data__addresses_item_any_of_count1:
                        raise Refused
        if "mac_addresses" in data_keys:
            data_keys.remove("mac_addresses")
            data__macaddresses = data["mac_addresses"]
            if not isinstance(data__macaddresses, (list, tuple)):
                raise Refused
            data__macaddresses_is_list = isinstance(data__macaddresses, (list, tuple))
            if data__macaddresses_is_list:
                data__macaddresses_len = len(data__macaddresses)
                if data__macaddresses_len < 2:
                    raise Refused
                if data__macaddresses_len > 2:
                    raise Refused
                for data__macaddresses_x, data__macaddresses_item in enumerate(data__macaddresses):
                    data__macaddresses_item_any_of_count2 = 0
                    if not data__macaddresses_item_any_of_count2:
                        try:
                            validate____defs_mac(data__macaddresses_item)
                            data__macaddresses_item_any_of_count2 += 1
                        except Refused: pass
                    if not data__macaddresses_item_any_of_count2:
                        try:
                            if not isinstance(data__macaddresses_item, (_NoneType)):
                                raise Refused
                            data__macaddresses_item_any_of_count2 += 1
                        except Refused: pass
                    if not data__macaddresses_item_any_of_count2:
                        raise Refused
        if "mtu" in data_keys:
            data_keys.remove("mtu")
            data__mtu = data["mtu"]
            validate____defs_mtu(data__mtu)
        if "impairment" in data_keys:
            data_keys.remove("impairment")
            data__impairment = data["impairment"]
            data__impairment_any_of_count3 = 0
            if not data__impairment_any_of_count3:
                try:
                    validate____defs_impairment(data__impairment)
                    data__impairment_any_of_count3 += 1
                except Refused: pass
            if not data__impairment_any_of_count3:
                try:
                    if not isinstance(data__impairment, (list, tuple)):
                        raise Refused
                    data__impairment_is_list = isinstance(data__impairment, (list, tuple))
                    if data__impairment_is_list:
                        data__impairment_len = len(data__impairment)
                        if data__impairment_len < 2:
                            raise Refused
                        if data__impairment_len > 2:
                            raise Refused
                        for data__impairment_x, data__impairment_item in enumerate(data__impairment):
                            data__impairment_item_any_of_count4 = 0
                            if not data__impairment_item_any_of_count4:
                                try:
                                    validate____defs_impairment(data__impairment_item)
                                    data__impairment_item_any_of_count4 += 1
                                except Refused: pass
                            if not data__impairment_item_any_of_count4:
                                try:
                                    if not isinstance(data__impairment_item, (_NoneType)):
                                        raise Refused
                                    data__impairment_item_any_of_count4 += 1
                                except Refused: pass
                            if not data__impairment_item_any_of_count4:
                                raise Refused
                    data__impairment_any_of_count3 += 1
                except Refused: pass
            if not data__impairment_any_of_count3:
                raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_impairment(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "delay" in data_keys:
            data_keys.remove("delay")
            data__delay = data["delay"]
            if not isinstance(data__delay, (str)):
                raise Refused
            if isinstance(data__delay, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?(us|ms|s)$'].search(data__delay):
                    raise Refused
        if "jitter" in data_keys:
            data_keys.remove("jitter")
            data__jitter = data["jitter"]
            if not isinstance(data__jitter, (str)):
                raise Refused
            if isinstance(data__jitter, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?(us|ms|s)$'].search(data__jitter):
                    raise Refused
        if "delay_correlation" in data_keys:
            data_keys.remove("delay_correlation")
            data__delaycorrelation = data["delay_correlation"]
            if not isinstance(data__delaycorrelation, (str)):
                raise Refused
            if isinstance(data__delaycorrelation, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__delaycorrelation):
                    raise Refused
        if "loss" in data_keys:
            data_keys.remove("loss")
            data__loss = data["loss"]
            if not isinstance(data__loss, (str)):
                raise Refused
            if isinstance(data__loss, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__loss):
                    raise Refused
        if "loss_correlation" in data_keys:
            data_keys.remove("loss_correlation")
            data__losscorrelation = data["loss_correlation"]
            if not isinstance(data__losscorrelation, (str)):
                raise Refused
            if isinstance(data__losscorrelation, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__losscorrelation):
                    raise Refused
        if "duplicate" in data_keys:
            data_keys.remove("duplicate")
            data__duplicate = data["duplicate"]
            if not isinstance(data__duplicate, (str)):
                raise Refused
            if isinstance(data__duplicate, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__duplicate):
                    raise Refused
        if "duplicate_correlation" in data_keys:
            data_keys.remove("duplicate_correlation")
            data__duplicatecorrelation = data["duplicate_correlation"]
            if not isinstance(data__duplicatecorrelation, (str)):
                raise Refused
            if isinstance(data__duplicatecorrelation, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__duplicatecorrelation):
                    raise Refused
        if "reorder" in data_keys:
            data_keys.remove("reorder")
            data__reorder = data["reorder"]
            if not isinstance(data__reorder, (str)):
                raise Refused
            if isinstance(data__reorder, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__reorder):
                    raise Refused
        if "reorder_correlation" in data_keys:
            data_keys.remove("reorder_correlation")
            data__reordercorrelation = data["reorder_correlation"]
            if not isinstance(data__reordercorrelation, (str)):
                raise Refused
            if isinstance(data__reordercorrelation, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__reordercorrelation):
                    raise Refused
        if "corrupt" in data_keys:
            data_keys.remove("corrupt")
            data__corrupt = data["corrupt"]
            if not isinstance(data__corrupt, (str)):
                raise Refused
            if isinstance(data__corrupt, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__corrupt):
                    raise Refused
        if "corrupt_correlation" in data_keys:
            data_keys.remove("corrupt_correlation")
            data__corruptcorrelation = data["corrupt_correlation"]
            if not isinstance(data__corruptcorrelation, (str)):
                raise Refused
            if isinstance(data__corruptcorrelation, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?%$'].search(data__corruptcorrelation):
                    raise Refused
        if "rate" in data_keys:
            data_keys.remove("rate")
            data__rate = data["rate"]
            if not isinstance(data__rate, (str)):
                raise Refused
            if isinstance(data__rate, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?[kmgt]?bit$'].search(data__rate):
                    raise Refused
        if "burst" in data_keys:
            data_keys.remove("burst")
            data__burst = data["burst"]
            if not isinstance(data__burst, (str)):
                raise Refused
            if isinstance(data__burst, str):
                if not _PATTERNS['^[0-9]+(\\.[0-9]+)?(b|kb|mb)$'].search(data__burst):
                    raise Refused
        if "limit" in data_keys:
            data_keys.remove("limit")
            data__limit = data["limit"]
            if not isinstance(data__limit, (int)) and not (isinstance(data__limit, float) and data__limit.is_integer()) or isinstance(data__limit, bool):
                raise Refused
            if isinstance(data__limit, (int, float)) and not isinstance(data__limit, bool):
                if data__limit < 1:
                    raise Refused
                if data__limit > 4294967295:
                    raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_mtu(data):
    if not isinstance(data, (int)) and not (isinstance(data, float) and data.is_integer()) or isinstance(data, bool):
        raise Refused
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        if data < 68:
            raise Refused
        if data > 65535:
            raise Refused
    return data

def validate____defs_mac(data):
    if not isinstance(data, (str)):
        raise Refused
    if isinstance(data, str):
        data_len = len(data)
        if data_len < 1:
            raise Refused
    return data

def validate____defs_text(data):
    if not isinstance(data, (str)):
        raise Refused
    if isinstance(data, str):
        data_len = len(data)
        if data_len < 1:
            raise Refused
    return data

def validate____defs_container(data):
    if not isinstance(data, (dict, _NoneType)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "host" in data_keys:
            data_keys.remove("host")
            data__host = data["host"]
            validate____defs_name(data__host)
        if "hostname" in data_keys:
            data_keys.remove("hostname")
            data__hostname = data["hostname"]
            if not isinstance(data__hostname, (str)):
                raise Refused
            if isinstance(data__hostname, str):
                data__hostname_len = len(data__hostname)
                if data__hostname_len < 1:
                    raise Refused
        if "image" in data_keys:
            data_keys.remove("image")
            data__image = data["image"]
            validate____defs_text(data__image)
        if "command" in data_keys:
            data_keys.remove("command")
            data__command = data["command"]
            validate____defs_words(data__command)
        if "networks" in data_keys:
            data_keys.remove("networks")
            data__networks = data["networks"]
            data__networks_any_of_count5 = 0
            if not data__networks_any_of_count5:
                try:
                    if not isinstance(data__networks, (list, tuple)):
                        raise Refused
                    data__networks_is_list = isinstance(data__networks, (list, tuple))
                    if data__networks_is_list:
                        data__networks_len = len(data__networks)
                        for data__networks_x, data__networks_item in enumerate(data__networks):
                            validate____defs_name(data__networks_item)
                    data__networks_any_of_count5 += 1
                except Refused: pass
            if not data__networks_any_of_count5:
                try:
                    if not isinstance(data__networks, (dict)):
                        raise Refused
                    data__networks_is_dict = isinstance(data__networks, dict)
                    if data__networks_is_dict:
                        data__networks_keys = set(data__networks.keys())
                        for data__networks_key in data__networks_keys:
                            if data__networks_key not in []:
                                data__networks_value = data__networks.get(data__networks_key)
                                validate____defs_attachment(data__networks_value)
                        data__networks_len = len(data__networks)
                        if data__networks_len != 0:
                            data__networks_property_names = True
                            for data__networks_key in data__networks:
                                try:
                                    validate____defs_name(data__networks_key)
                                except Refused:
                                    data__networks_property_names = False
                            if not data__networks_property_names:
                                raise Refused
                    data__networks_any_of_count5 += 1
                except Refused: pass
            if not data__networks_any_of_count5:
                raise Refused
        if "network_mode" in data_keys:
            data_keys.remove("network_mode")
            data__networkmode = data["network_mode"]
            if not isinstance(data__networkmode, (str)):
                raise Refused
            if isinstance(data__networkmode, str):
                if not _PATTERNS['^(none|host|container:.+)$'].search(data__networkmode):
                    raise Refused
        if "ports" in data_keys:
            data_keys.remove("ports")
            data__ports = data["ports"]
            if not isinstance(data__ports, (list, tuple)):
                raise Refused
            data__ports_is_list = isinstance(data__ports, (list, tuple))
            if data__ports_is_list:
                data__ports_len = len(data__ports)
                for data__ports_x, data__ports_item in enumerate(data__ports):
                    validate____defs_port(data__ports_item)
        if "links" in data_keys:
            data_keys.remove("links")
            data__links = data["links"]
            if not isinstance(data__links, (list, tuple)):
                raise Refused
            data__links_is_list = isinstance(data__links, (list, tuple))
            if data__links_is_list:
                data__links_len = len(data__links)
                for data__links_x, data__links_item in enumerate(data__links):
                    validate____defs_text(data__links_item)
        if "dns" in data_keys:
            data_keys.remove("dns")
            data__dns = data["dns"]
            validate____defs_texts(data__dns)
        if "dns_search" in data_keys:
            data_keys.remove("dns_search")
            data__dnssearch = data["dns_search"]
            validate____defs_texts(data__dnssearch)
        if "dns_opt" in data_keys:
            data_keys.remove("dns_opt")
            data__dnsopt = data["dns_opt"]
            if not isinstance(data__dnsopt, (list, tuple)):
                raise Refused
            data__dnsopt_is_list = isinstance(data__dnsopt, (list, tuple))
            if data__dnsopt_is_list:
                data__dnsopt_len = len(data__dnsopt)
                for data__dnsopt_x, data__dnsopt_item in enumerate(data__dnsopt):
                    validate____defs_text(data__dnsopt_item)
        if "extra_hosts" in data_keys:
            data_keys.remove("extra_hosts")
            data__extrahosts = data["extra_hosts"]
            data__extrahosts_any_of_count6 = 0
            if not data__extrahosts_any_of_count6:
                try:
                    if not isinstance(data__extrahosts, (dict)):
                        raise Refused
                    data__extrahosts_is_dict = isinstance(data__extrahosts, dict)
                    if data__extrahosts_is_dict:
                        data__extrahosts_keys = set(data__extrahosts.keys())
                        for data__extrahosts_key in data__extrahosts_keys:
                            if data__extrahosts_key not in []:
                                data__extrahosts_value = data__extrahosts.get(data__extrahosts_key)
                                validate____defs_texts(data__extrahosts_value)
                    data__extrahosts_any_of_count6 += 1
                except Refused: pass
            if not data__extrahosts_any_of_count6:
                try:
                    if not isinstance(data__extrahosts, (list, tuple)):
                        raise Refused
                    data__extrahosts_is_list = isinstance(data__extrahosts, (list, tuple))
                    if data__extrahosts_is_list:
                        data__extrahosts_len = len(data__extrahosts)
                        for data__extrahosts_x, data__extrahosts_item in enumerate(data__extrahosts):
                            validate____defs_text(data__extrahosts_item)
                    data__extrahosts_any_of_count6 += 1
                except Refused: pass
            if not data__extrahosts_any_of_count6:
                raise Refused
        if "sysctls" in data_keys:
            data_keys.remove("sysctls")
            data__sysctls = data["sysctls"]
            validate____defs_keyvalues(data__sysctls)
        if "environment" in data_keys:
            data_keys.remove("environment")
            data__environment = data["environment"]
            validate____defs_keyvalues(data__environment)
        if "working_dir" in data_keys:
            data_keys.remove("working_dir")
            data__workingdir = data["working_dir"]
            if not isinstance(data__workingdir, (str)):
                raise Refused
            if isinstance(data__workingdir, str):
                if not _PATTERNS['^/'].search(data__workingdir):
                    raise Refused
        if "user" in data_keys:
            data_keys.remove("user")
            data__user = data["user"]
            if not isinstance(data__user, (str, int)) and not (isinstance(data__user, float) and data__user.is_integer()) or isinstance(data__user, bool):
                raise Refused
        if "restart" in data_keys:
            data_keys.remove("restart")
            data__restart = data["restart"]
            if not isinstance(data__restart, (str)):
                raise Refused
            if isinstance(data__restart, str):
                if not _PATTERNS['^(no|always|unless-stopped|on-failure(:[0-9]+)?)$'].search(data__restart):
                    raise Refused
        if "stop_signal" in data_keys:
            data_keys.remove("stop_signal")
            data__stopsignal = data["stop_signal"]
            if not isinstance(data__stopsignal, (str)):
                raise Refused
            if isinstance(data__stopsignal, str):
                data__stopsignal_len = len(data__stopsignal)
                if data__stopsignal_len < 1:
                    raise Refused
        if "stop_grace_period" in data_keys:
            data_keys.remove("stop_grace_period")
            data__stopgraceperiod = data["stop_grace_period"]
            validate____defs_duration(data__stopgraceperiod)
        if "routes" in data_keys:
            data_keys.remove("routes")
            data__routes = data["routes"]
            if not isinstance(data__routes, (list, tuple)):
                raise Refused
            data__routes_is_list = isinstance(data__routes, (list, tuple))
            if data__routes_is_list:
                data__routes_len = len(data__routes)
                for data__routes_x, data__routes_item in enumerate(data__routes):
                    validate____defs_route(data__routes_item)
        if "exec" in data_keys:
            data_keys.remove("exec")
            data__exec = data["exec"]
            if not isinstance(data__exec, (list, tuple)):
                raise Refused
            data__exec_is_list = isinstance(data__exec, (list, tuple))
            if data__exec_is_list:
                data__exec_len = len(data__exec)
                for data__exec_x, data__exec_item in enumerate(data__exec):
                    validate____defs_words(data__exec_item)
        if "entrypoint" in data_keys:
            data_keys.remove("entrypoint")
            data__entrypoint = data["entrypoint"]
            validate____defs_words(data__entrypoint)
        if "env_file" in data_keys:
            data_keys.remove("env_file")
            data__envfile = data["env_file"]
            validate____defs_texts(data__envfile)
        if "volumes" in data_keys:
            data_keys.remove("volumes")
            data__volumes = data["volumes"]
            if not isinstance(data__volumes, (list, tuple)):
                raise Refused
            data__volumes_is_list = isinstance(data__volumes, (list, tuple))
            if data__volumes_is_list:
                data__volumes_len = len(data__volumes)
                for data__volumes_x, data__volumes_item in enumerate(data__volumes):
                    data__volumes_item_any_of_count7 = 0
                    if not data__volumes_item_any_of_count7:
                        try:
                            validate____defs_text(data__volumes_item)
                            data__volumes_item_any_of_count7 += 1
                        except Refused: pass
                    if not data__volumes_item_any_of_count7:
                        try:
                            if not isinstance(data__volumes_item, (dict)):
                                raise Refused
                            data__volumes_item_is_dict = isinstance(data__volumes_item, dict)
                            if data__volumes_item_is_dict:
                                data__volumes_item__missing_keys = set(['type', 'target']) - data__volumes_item.keys()
                                if data__volumes_item__missing_keys:
                                    raise Refused
                                data__volumes_item_keys = set(data__volumes_item.keys())
                                if "type" in data__volumes_item_keys:
                                    data__volumes_item_keys.remove("type")
                                    data__volumes_item__type = data__volumes_item["type"]
                                    if not isinstance(data__volumes_item__type, (str)):
                                        raise Refused
                                    if not (isinstance(data__volumes_item__type, str) and data__volumes_item__type == 'bind' or isinstance(data__volumes_item__type, str) and data__volumes_item__type == 'volume' or isinstance(data__volumes_item__type, str) and data__volumes_item__type == 'tmpfs'):
                                        raise Refused
                                if "source" in data__volumes_item_keys:
                                    data__volumes_item_keys.remove("source")
                                    data__volumes_item__source = data__volumes_item["source"]
                                    validate____defs_text(data__volumes_item__source)
                                if "target" in data__volumes_item_keys:
                                    data__volumes_item_keys.remove("target")
                                    data__volumes_item__target = data__volumes_item["target"]
                                    validate____defs_text(data__volumes_item__target)
                                if "read_only" in data__volumes_item_keys:
                                    data__volumes_item_keys.remove("read_only")
                                    data__volumes_item__readonly = data__volumes_item["read_only"]
                                    if not isinstance(data__volumes_item__readonly, (bool)):
                                        raise Refused
                                if data__volumes_item_keys:
                                    raise Refused
                            data__volumes_item_any_of_count7 += 1
                        except Refused: pass
                    if not data__volumes_item_any_of_count7:
                        raise Refused
        if "domainname" in data_keys:
            data_keys.remove("domainname")
            data__domainname = data["domainname"]
            validate____defs_text(data__domainname)
        if "cap_add" in data_keys:
            data_keys.remove("cap_add")
            data__capadd = data["cap_add"]
            if not isinstance(data__capadd, (list, tuple)):
                raise Refused
            data__capadd_is_list = isinstance(data__capadd, (list, tuple))
            if data__capadd_is_list:
                data__capadd_len = len(data__capadd)
                for data__capadd_x, data__capadd_item in enumerate(data__capadd):
                    validate____defs_text(data__capadd_item)
        if "cap_drop" in data_keys:
            data_keys.remove("cap_drop")
            data__capdrop = data["cap_drop"]
            if not isinstance(data__capdrop, (list, tuple)):
                raise Refused
            data__capdrop_is_list = isinstance(data__capdrop, (list, tuple))
            if data__capdrop_is_list:
                data__capdrop_len = len(data__capdrop)
                for data__capdrop_x, data__capdrop_item in enumerate(data__capdrop):
                    validate____defs_text(data__capdrop_item)
        if "privileged" in data_keys:
            data_keys.remove("privileged")
            data__privileged = data["privileged"]
            if not isinstance(data__privileged, (bool)):
                raise Refused
        if "devices" in data_keys:
            data_keys.remove("devices")
            data__devices = data["devices"]
            if not isinstance(data__devices, (list, tuple)):
                raise Refused
            data__devices_is_list = isinstance(data__devices, (list, tuple))
            if data__devices_is_list:
                data__devices_len = len(data__devices)
                for data__devices_x, data__devices_item in enumerate(data__devices):
                    validate____defs_text(data__devices_item)
        if "ulimits" in data_keys:
            data_keys.remove("ulimits")
            data__ulimits = data["ulimits"]
            if not isinstance(data__ulimits, (dict)):
                raise Refused
            data__ulimits_is_dict = isinstance(data__ulimits, dict)
            if data__ulimits_is_dict:
                data__ulimits_keys = set(data__ulimits.keys())
                for data__ulimits_key in data__ulimits_keys:
                    if data__ulimits_key not in []:
                        data__ulimits_value = data__ulimits.get(data__ulimits_key)
                        data__ulimits_value_any_of_count8 = 0
                        if not data__ulimits_value_any_of_count8:
                            try:
                                if not isinstance(data__ulimits_value, (int)) and not (isinstance(data__ulimits_value, float) and data__ulimits_value.is_integer()) or isinstance(data__ulimits_value, bool):
                                    raise Refused
                                data__ulimits_value_any_of_count8 += 1
                            except Refused: pass
                        if not data__ulimits_value_any_of_count8:
                            try:
                                if not isinstance(data__ulimits_value, (dict)):
                                    raise Refused
                                data__ulimits_value_is_dict = isinstance(data__ulimits_value, dict)
                                if data__ulimits_value_is_dict:
                                    data__ulimits_value__missing_keys = set(['soft', 'hard']) - data__ulimits_value.keys()
                                    if data__ulimits_value__missing_keys:
                                        raise Refused
                                    data__ulimits_value_keys = set(data__ulimits_value.keys())
                                    if "soft" in data__ulimits_value_keys:
                                        data__ulimits_value_keys.remove("soft")
                                        data__ulimits_value__soft = data__ulimits_value["soft"]
                                        if not isinstance(data__ulimits_value__soft, (int)) and not (isinstance(data__ulimits_value__soft, float) and data__ulimits_value__soft.is_integer()) or isinstance(data__ulimits_value__soft, bool):
                                            raise Refused
                                    if "hard" in data__ulimits_value_keys:
                                        data__ulimits_value_keys.remove("hard")
                                        data__ulimits_value__hard = data__ulimits_value["hard"]
                                        if not isinstance(data__ulimits_value__hard, (int)) and not (isinstance(data__ulimits_value__hard, float) and data__ulimits_value__hard.is_integer()) or isinstance(data__ulimits_value__hard, bool):
                                            raise Refused
                                    if data__ulimits_value_keys:
                                        raise Refused
                                data__ulimits_value_any_of_count8 += 1
                            except Refused: pass
                        if not data__ulimits_value_any_of_count8:
                            raise Refused
        if "mem_limit" in data_keys:
            data_keys.remove("mem_limit")
            data__memlimit = data["mem_limit"]
            data__memlimit_any_of_count9 = 0
            if not data__memlimit_any_of_count9:
                try:
                    if not isinstance(data__memlimit, (int)) and not (isinstance(data__memlimit, float) and data__memlimit.is_integer()) or isinstance(data__memlimit, bool):
                        raise Refused
                    if isinstance(data__memlimit, (int, float)) and not isinstance(data__memlimit, bool):
                        if data__memlimit < 0:
                            raise Refused
                    data__memlimit_any_of_count9 += 1
                except Refused: pass
            if not data__memlimit_any_of_count9:
                try:
                    if not isinstance(data__memlimit, (str)):
                        raise Refused
                    if isinstance(data__memlimit, str):
                        if not _PATTERNS['^[0-9]+(\\.[0-9]+)?[bkmgBKMG]?[bB]?$'].search(data__memlimit):
                            raise Refused
                    data__memlimit_any_of_count9 += 1
                except Refused: pass
            if not data__memlimit_any_of_count9:
                raise Refused
        if "cpus" in data_keys:
            data_keys.remove("cpus")
            data__cpus = data["cpus"]
            data__cpus_any_of_count10 = 0
            if not data__cpus_any_of_count10:
                try:
                    if not isinstance(data__cpus, (int, float)) or isinstance(data__cpus, bool):
                        raise Refused
                    if isinstance(data__cpus, (int, float)) and not isinstance(data__cpus, bool):
                        if data__cpus < 0:
                            raise Refused
                    data__cpus_any_of_count10 += 1
                except Refused: pass
            if not data__cpus_any_of_count10:
                try:
                    if not isinstance(data__cpus, (str)):
                        raise Refused
                    if isinstance(data__cpus, str):
                        if not _PATTERNS['^[0-9]+(\\.[0-9]+)?$'].search(data__cpus):
                            raise Refused
                    data__cpus_any_of_count10 += 1
                except Refused: pass
            if not data__cpus_any_of_count10:
                raise Refused
        if "labels" in data_keys:
            data_keys.remove("labels")
            data__labels = data["labels"]
            data__labels_any_of_count11 = 0
            if not data__labels_any_of_count11:
                try:
                    if not isinstance(data__labels, (dict)):
                        raise Refused
                    data__labels_is_dict = isinstance(data__labels, dict)
                    if data__labels_is_dict:
                        data__labels_keys = set(data__labels.keys())
                        for data__labels_key in data__labels_keys:
                            if data__labels_key not in []:
                                data__labels_value = data__labels.get(data__labels_key)
                                if not isinstance(data__labels_value, (str, int, float, bool)):
                                    raise Refused
                    data__labels_any_of_count11 += 1
                except Refused: pass
            if not data__labels_any_of_count11:
                try:
                    if not isinstance(data__labels, (list, tuple)):
                        raise Refused
                    data__labels_is_list = isinstance(data__labels, (list, tuple))
                    if data__labels_is_list:
                        data__labels_len = len(data__labels)
                        for data__labels_x, data__labels_item in enumerate(data__labels):
                            validate____defs_text(data__labels_item)
                    data__labels_any_of_count11 += 1
                except Refused: pass
            if not data__labels_any_of_count11:
                raise Refused
        if "healthcheck" in data_keys:
            data_keys.remove("healthcheck")
            data__healthcheck = data["healthcheck"]
            validate____defs_healthcheck(data__healthcheck)
        if "depends_on" in data_keys:
            data_keys.remove("depends_on")
            data__dependson = data["depends_on"]
            data__dependson_any_of_count12 = 0
            if not data__dependson_any_of_count12:
                try:
                    if not isinstance(data__dependson, (list, tuple)):
                        raise Refused
                    data__dependson_is_list = isinstance(data__dependson, (list, tuple))
                    if data__dependson_is_list:
                        data__dependson_len = len(data__dependson)
                        for data__dependson_x, data__dependson_item in enumerate(data__dependson):
                            validate____defs_name(data__dependson_item)
                    data__dependson_any_of_count12 += 1
                except Refused: pass
            if not data__dependson_any_of_count12:
                try:
                    if not isinstance(data__dependson, (dict)):
                        raise Refused
                    data__dependson_is_dict = isinstance(data__dependson, dict)
                    if data__dependson_is_dict:
                        data__dependson_keys = set(data__dependson.keys())
                        for data__dependson_key in data__dependson_keys:
                            if data__dependson_key not in []:
                                data__dependson_value = data__dependson.get(data__dependson_key)
                                if not isinstance(data__dependson_value, (dict, _NoneType)):
                                    raise Refused
                                data__dependson_value_is_dict = isinstance(data__dependson_value, dict)
                                if data__dependson_value_is_dict:
                                    data__dependson_value_keys = set(data__dependson_value.keys())
                                    if "condition" in data__dependson_value_keys:
                                        data__dependson_value_keys.remove("condition")
                                        data__dependson_value__condition = data__dependson_value["condition"]
                                        if not isinstance(data__dependson_value__condition, (str)):
                                            raise Refused
                                        if not (isinstance(data__dependson_value__condition, str) and data__dependson_value__condition == 'service_started' or isinstance(data__dependson_value__condition, str) and data__dependson_value__condition == 'service_healthy' or isinstance(data__dependson_value__condition, str) and data__dependson_value__condition == 'service_completed_successfully'):
                                            raise Refused
                                    if data__dependson_value_keys:
                                        raise Refused
                        data__dependson_len = len(data__dependson)
                        if data__dependson_len != 0:
                            data__dependson_property_names = True
                            for data__dependson_key in data__dependson:
                                try:
                                    validate____defs_name(data__dependson_key)
                                except Refused:
                                    data__dependson_property_names = False
                            if not data__dependson_property_names:
                                raise Refused
                    data__dependson_any_of_count12 += 1
                except Refused: pass
            if not data__dependson_any_of_count12:
                raise Refused
        if "tty" in data_keys:
            data_keys.remove("tty")
            data__tty = data["tty"]
            if not isinstance(data__tty, (bool)):
                raise Refused
        if "init" in data_keys:
            data_keys.remove("init")
            data__init = data["init"]
            if not isinstance(data__init, (bool)):
                raise Refused
        if "read_only" in data_keys:
            data_keys.remove("read_only")
            data__readonly = data["read_only"]
            if not isinstance(data__readonly, (bool)):
                raise Refused
        if "tmpfs" in data_keys:
            data_keys.remove("tmpfs")
            data__tmpfs = data["tmpfs"]
            validate____defs_texts(data__tmpfs)
        if "pull_policy" in data_keys:
            data_keys.remove("pull_policy")
            data__pullpolicy = data["pull_policy"]
            if not isinstance(data__pullpolicy, (str)):
                raise Refused
            if not (isinstance(data__pullpolicy, str) and data__pullpolicy == 'always' or isinstance(data__pullpolicy, str) and data__pullpolicy == 'never' or isinstance(data__pullpolicy, str) and data__pullpolicy == 'missing' or isinstance(data__pullpolicy, str) and data__pullpolicy == 'if_not_present' or isinstance(data__pullpolicy, str) and data__pullpolicy == 'build'):
                raise Refused
        if "runtime" in data_keys:
            data_keys.remove("runtime")
            data__runtime = data["runtime"]
            validate____defs_text(data__runtime)
        for data_key, data_val in data.items():
            if _PATTERNS['^x-'].search(data_key):
                if data_key in data_keys:
                    data_keys.remove(data_key)
        if data_keys:
            raise Refused
    return data

def validate____defs_healthcheck(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "test" in data_keys:
            data_keys.remove("test")
            data__test = data["test"]
            data__test_any_of_count13 = 0
            if not data__test_any_of_count13:
                try:
                    validate____defs_text(data__test)
                    data__test_any_of_count13 += 1
                except Refused: pass
            if not data__test_any_of_count13:
                try:
                    if not isinstance(data__test, (list, tuple)):
                        raise Refused
                    data__test_is_list = isinstance(data__test, (list, tuple))
                    if data__test_is_list:
                        data__test_len = len(data__test)
                        for data__test_x, data__test_item in enumerate(data__test):
                            validate____defs_text(data__test_item)
                    data__test_any_of_count13 += 1
                except Refused: pass
            if not data__test_any_of_count13:
                raise Refused
        if "interval" in data_keys:
            data_keys.remove("interval")
            data__interval = data["interval"]
            validate____defs_duration(data__interval)
        if "timeout" in data_keys:
            data_keys.remove("timeout")
            data__timeout = data["timeout"]
            validate____defs_duration(data__timeout)
        if "retries" in data_keys:
            data_keys.remove("retries")
            data__retries = data["retries"]
            if not isinstance(data__retries, (int)) and not (isinstance(data__retries, float) and data__retries.is_integer()) or isinstance(data__retries, bool):
                raise Refused
            if isinstance(data__retries, (int, float)) and not isinstance(data__retries, bool):
                if data__retries < 0:
                    raise Refused
        if "start_period" in data_keys:
            data_keys.remove("start_period")
            data__startperiod = data["start_period"]
            validate____defs_duration(data__startperiod)
        if "start_interval" in data_keys:
            data_keys.remove("start_interval")
            data__startinterval = data["start_interval"]
            validate____defs_duration(data__startinterval)
        if "disable" in data_keys:
            data_keys.remove("disable")
            data__disable = data["disable"]
            if not isinstance(data__disable, (bool)):
                raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_route(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['to']) - data.keys()
        if data__missing_keys:
            raise Refused
        data_keys = set(data.keys())
        if "to" in data_keys:
            data_keys.remove("to")
            data__to = data["to"]
            validate____defs_text(data__to)
        if "via" in data_keys:
            data_keys.remove("via")
            data__via = data["via"]
            validate____defs_text(data__via)
        if "interface" in data_keys:
            data_keys.remove("interface")
            data__interface = data["interface"]
            validate____defs_text(data__interface)
        if "metric" in data_keys:
            data_keys.remove("metric")
            data__metric = data["metric"]
            if not isinstance(data__metric, (int)) and not (isinstance(data__metric, float) and data__metric.is_integer()) or isinstance(data__metric, bool):
                raise Refused
            if isinstance(data__metric, (int, float)) and not isinstance(data__metric, bool):
                if data__metric < 0:
                    raise Refused
                if data__metric > 4294967295:
                    raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_duration(data):
    data_any_of_count14 = 0
    if not data_any_of_count14:
        try:
            if not isinstance(data, (int, float)) or isinstance(data, bool):
                raise Refused
            if isinstance(data, (int, float)) and not isinstance(data, bool):
                if data < 0:
                    raise Refused
            data_any_of_count14 += 1
        except Refused: pass
    if not data_any_of_count14:
        try:
            if not isinstance(data, (str)):
                raise Refused
            if isinstance(data, str):
                if not _PATTERNS['^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h))+$'].search(data):
                    raise Refused
            data_any_of_count14 += 1
        except Refused: pass
    if not data_any_of_count14:
        raise Refused
    return data

def validate____defs_keyvalues(data):
    data_any_of_count15 = 0
    if not data_any_of_count15:
        try:
            if not isinstance(data, (dict)):
                raise Refused
            data_is_dict = isinstance(data, dict)
            if data_is_dict:
                data_keys = set(data.keys())
                for data_key in data_keys:
                    if data_key not in []:
                        data_value = data.get(data_key)
                        validate____defs_scalar(data_value)
            data_any_of_count15 += 1
        except Refused: pass
    if not data_any_of_count15:
        try:
            if not isinstance(data, (list, tuple)):
                raise Refused
            data_is_list = isinstance(data, (list, tuple))
            if data_is_list:
                data_len = len(data)
                for data_x, data_item in enumerate(data):
                    if not isinstance(data_item, (str)):
                        raise Refused
                    if isinstance(data_item, str):
                        if not _PATTERNS['^[^=]+='].search(data_item):
                            raise Refused
            data_any_of_count15 += 1
        except Refused: pass
    if not data_any_of_count15:
        raise Refused
    return data

def validate____defs_scalar(data):
    if not isinstance(data, (str, int, float)) or isinstance(data, bool):
        raise Refused
    return data

def validate____defs_texts(data):
    data_any_of_count16 = 0
    if not data_any_of_count16:
        try:
            validate____defs_text(data)
            data_any_of_count16 += 1
        except Refused: pass
    if not data_any_of_count16:
        try:
            if not isinstance(data, (list, tuple)):
                raise Refused
            data_is_list = isinstance(data, (list, tuple))
            if data_is_list:
                data_len = len(data)
                for data_x, data_item in enumerate(data):
                    validate____defs_text(data_item)
            data_any_of_count16 += 1
        except Refused: pass
    if not data_any_of_count16:
        raise Refused
    return data

def validate____defs_port(data):
    data_any_of_count17 = 0
    if not data_any_of_count17:
        try:
            validate____defs_text(data)
            data_any_of_count17 += 1
        except Refused: pass
    if not data_any_of_count17:
        try:
            validate____defs_portnumber(data)
            data_any_of_count17 += 1
        except Refused: pass
    if not data_any_of_count17:
        try:
            if not isinstance(data, (dict)):
                raise Refused
            data_is_dict = isinstance(data, dict)
            if data_is_dict:
                data__missing_keys = set(['target']) - data.keys()
                if data__missing_keys:
                    raise Refused
                data_keys = set(data.keys())
                if "target" in data_keys:
                    data_keys.remove("target")
                    data__target = data["target"]
                    validate____defs_portnumber(data__target)
                if "published" in data_keys:
                    data_keys.remove("published")
                    data__published = data["published"]
                    if not isinstance(data__published, (int, str)) and not (isinstance(data__published, float) and data__published.is_integer()) or isinstance(data__published, bool):
                        raise Refused
                if "host_ip" in data_keys:
                    data_keys.remove("host_ip")
                    data__hostip = data["host_ip"]
                    validate____defs_text(data__hostip)
                if "protocol" in data_keys:
                    data_keys.remove("protocol")
                    data__protocol = data["protocol"]
                    if not isinstance(data__protocol, (str)):
                        raise Refused
                    if not (isinstance(data__protocol, str) and data__protocol == 'tcp' or isinstance(data__protocol, str) and data__protocol == 'udp' or isinstance(data__protocol, str) and data__protocol == 'sctp'):
                        raise Refused
                if data_keys:
                    raise Refused
            data_any_of_count17 += 1
        except Refused: pass
    if not data_any_of_count17:
        raise Refused
    return data

def validate____defs_portnumber(data):
    if not isinstance(data, (int)) and not (isinstance(data, float) and data.is_integer()) or isinstance(data, bool):
        raise Refused
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        if data < 1:
            raise Refused
        if data > 65535:
            raise Refused
    return data

def validate____defs_attachment(data):
    if not isinstance(data, (dict, _NoneType)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "ipv4_address" in data_keys:
            data_keys.remove("ipv4_address")
            data__ipv4address = data["ipv4_address"]
            if not isinstance(data__ipv4address, (str)):
                raise Refused
            if isinstance(data__ipv4address, str):
                data__ipv4address_len = len(data__ipv4address)
                if data__ipv4address_len < 1:
                    raise Refused
        if "ipv6_address" in data_keys:
            data_keys.remove("ipv6_address")
            data__ipv6address = data["ipv6_address"]
            if not isinstance(data__ipv6address, (str)):
                raise Refused
            if isinstance(data__ipv6address, str):
                data__ipv6address_len = len(data__ipv6address)
                if data__ipv6address_len < 1:
                    raise Refused
        if "mac_address" in data_keys:
            data_keys.remove("mac_address")
            data__macaddress = data["mac_address"]
            validate____defs_mac(data__macaddress)
        if "aliases" in data_keys:
            data_keys.remove("aliases")
            data__aliases = data["aliases"]
            if not isinstance(data__aliases, (list, tuple)):
                raise Refused
            data__aliases_is_list = isinstance(data__aliases, (list, tuple))
            if data__aliases_is_list:
                data__aliases_len = len(data__aliases)
                for data__aliases_x, data__aliases_item in enumerate(data__aliases):
                    validate____defs_name(data__aliases_item)
        if "interface_name" in data_keys:
            data_keys.remove("interface_name")
            data__interfacename = data["interface_name"]
            if not isinstance(data__interfacename, (str)):
                raise Refused
            if isinstance(data__interfacename, str):
                data__interfacename_len = len(data__interfacename)
                if data__interfacename_len < 1:
                    raise Refused
        if "gw_priority" in data_keys:
            data_keys.remove("gw_priority")
            data__gwpriority = data["gw_priority"]
            if not isinstance(data__gwpriority, (int)) and not (isinstance(data__gwpriority, float) and data__gwpriority.is_integer()) or isinstance(data__gwpriority, bool):
                raise Refused
        if "impairment" in data_keys:
            data_keys.remove("impairment")
            data__impairment = data["impairment"]
            data__impairment_any_of_count18 = 0
            if not data__impairment_any_of_count18:
                try:
                    validate____defs_impairment(data__impairment)
                    data__impairment_any_of_count18 += 1
                except Refused: pass
            if not data__impairment_any_of_count18:
                try:
                    if not isinstance(data__impairment, (list, tuple)):
                        raise Refused
                    data__impairment_is_list = isinstance(data__impairment, (list, tuple))
                    if data__impairment_is_list:
                        data__impairment_len = len(data__impairment)
                        if data__impairment_len < 2:
                            raise Refused
                        if data__impairment_len > 2:
                            raise Refused
                        for data__impairment_x, data__impairment_item in enumerate(data__impairment):
                            data__impairment_item_any_of_count19 = 0
                            if not data__impairment_item_any_of_count19:
                                try:
                                    validate____defs_impairment(data__impairment_item)
                                    data__impairment_item_any_of_count19 += 1
                                except Refused: pass
                            if not data__impairment_item_any_of_count19:
                                try:
                                    if not isinstance(data__impairment_item, (_NoneType)):
                                        raise Refused
                                    data__impairment_item_any_of_count19 += 1
                                except Refused: pass
                            if not data__impairment_item_any_of_count19:
                                raise Refused
                    data__impairment_any_of_count18 += 1
                except Refused: pass
            if not data__impairment_any_of_count18:
                raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_words(data):
    data_any_of_count20 = 0
    if not data_any_of_count20:
        try:
            validate____defs_text(data)
            data_any_of_count20 += 1
        except Refused: pass
    if not data_any_of_count20:
        try:
            if not isinstance(data, (list, tuple)):
                raise Refused
            data_is_list = isinstance(data, (list, tuple))
            if data_is_list:
                data_len = len(data)
                for data_x, data_item in enumerate(data):
                    if not isinstance(data_item, (str, int, float)) or isinstance(data_item, bool):
                        raise Refused
            data_any_of_count20 += 1
        except Refused: pass
    if not data_any_of_count20:
        raise Refused
    return data

def validate____defs_network(data):
    if not isinstance(data, (dict, _NoneType)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "driver" in data_keys:
            data_keys.remove("driver")
            data__driver = data["driver"]
            if not isinstance(data__driver, (str)):
                raise Refused
            if not (isinstance(data__driver, str) and data__driver == 'bridge' or isinstance(data__driver, str) and data__driver == 'macvlan' or isinstance(data__driver, str) and data__driver == 'ipvlan' or isinstance(data__driver, str) and data__driver == 'overlay' or isinstance(data__driver, str) and data__driver == 'routed'):
                raise Refused
        if "subnets" in data_keys:
            data_keys.remove("subnets")
            data__subnets = data["subnets"]
            if not isinstance(data__subnets, (list, tuple)):
                raise Refused
            data__subnets_is_list = isinstance(data__subnets, (list, tuple))
            if data__subnets_is_list:
                data__subnets_len = len(data__subnets)
                for data__subnets_x, data__subnets_item in enumerate(data__subnets):
                    validate____defs_namedsubnet(data__subnets_item)
        if "mtu" in data_keys:
            data_keys.remove("mtu")
            data__mtu = data["mtu"]
            validate____defs_mtu(data__mtu)
        if "internal" in data_keys:
            data_keys.remove("internal")
            data__internal = data["internal"]
            if not isinstance(data__internal, (bool)):
                raise Refused
        if "parent" in data_keys:
            data_keys.remove("parent")
            data__parent = data["parent"]
            if not isinstance(data__parent, (str)):
                raise Refused
            if isinstance(data__parent, str):
                data__parent_len = len(data__parent)
                if data__parent_len < 1:
                    raise Refused
        if "mode" in data_keys:
            data_keys.remove("mode")
            data__mode = data["mode"]
            if not isinstance(data__mode, (str)):
                raise Refused
            if not (isinstance(data__mode, str) and data__mode == 'bridge' or isinstance(data__mode, str) and data__mode == 'private' or isinstance(data__mode, str) and data__mode == 'vepa' or isinstance(data__mode, str) and data__mode == 'passthru' or isinstance(data__mode, str) and data__mode == 'source' or isinstance(data__mode, str) and data__mode == 'l2' or isinstance(data__mode, str) and data__mode == 'l3' or isinstance(data__mode, str) and data__mode == 'l3s'):
                raise Refused
        if "flag" in data_keys:
            data_keys.remove("flag")
            data__flag = data["flag"]
            if not isinstance(data__flag, (str)):
                raise Refused
            if not (isinstance(data__flag, str) and data__flag == 'bridge' or isinstance(data__flag, str) and data__flag == 'private' or isinstance(data__flag, str) and data__flag == 'vepa'):
                raise Refused
        if "sources" in data_keys:
            data_keys.remove("sources")
            data__sources = data["sources"]
            if not isinstance(data__sources, (list, tuple)):
                raise Refused
            data__sources_is_list = isinstance(data__sources, (list, tuple))
            if data__sources_is_list:
                data__sources_len = len(data__sources)
                if data__sources_len < 1:
                    raise Refused
                for data__sources_x, data__sources_item in enumerate(data__sources):
                    validate____defs_mac(data__sources_item)
        if "host_access" in data_keys:
            data_keys.remove("host_access")
            data__hostaccess = data["host_access"]
            if not isinstance(data__hostaccess, (bool)):
                raise Refused
        if "vni" in data_keys:
            data_keys.remove("vni")
            data__vni = data["vni"]
            if not isinstance(data__vni, (int)) and not (isinstance(data__vni, float) and data__vni.is_integer()) or isinstance(data__vni, bool):
                raise Refused
            if isinstance(data__vni, (int, float)) and not isinstance(data__vni, bool):
                if data__vni < 1:
                    raise Refused
                if data__vni > 16777215:
                    raise Refused
        if "port" in data_keys:
            data_keys.remove("port")
            data__port = data["port"]
            validate____defs_portnumber(data__port)
        if "encrypted" in data_keys:
            data_keys.remove("encrypted")
            data__encrypted = data["encrypted"]
            if not isinstance(data__encrypted, (bool)):
                raise Refused
        if "icc" in data_keys:
            data_keys.remove("icc")
            data__icc = data["icc"]
            if not isinstance(data__icc, (bool)):
                raise Refused
        if "masquerade" in data_keys:
            data_keys.remove("masquerade")
            data__masquerade = data["masquerade"]
            if not isinstance(data__masquerade, (bool)):
                raise Refused
        if "isolated" in data_keys:
            data_keys.remove("isolated")
            data__isolated = data["isolated"]
            if not isinstance(data__isolated, (bool)):
                raise Refused
        if "external" in data_keys:
            data_keys.remove("external")
            data__external = data["external"]
            data__external_any_of_count21 = 0
            if not data__external_any_of_count21:
                try:
                    if not isinstance(data__external, (bool)):
                        raise Refused
                    data__external_any_of_count21 += 1
                except Refused: pass
            if not data__external_any_of_count21:
                try:
                    if not isinstance(data__external, (dict)):
                        raise Refused
                    data__external_is_dict = isinstance(data__external, dict)
                    if data__external_is_dict:
                        data__external__missing_keys = set(['name']) - data__external.keys()
                        if data__external__missing_keys:
                            raise Refused
                        data__external_keys = set(data__external.keys())
                        if "name" in data__external_keys:
                            data__external_keys.remove("name")
                            data__external__name = data__external["name"]
                            validate____defs_text(data__external__name)
                        if data__external_keys:
                            raise Refused
                    data__external_any_of_count21 += 1
                except Refused: pass
            if not data__external_any_of_count21:
                raise Refused
        for data_key, data_val in data.items():
            if _PATTERNS['^x-'].search(data_key):
                if data_key in data_keys:
                    data_keys.remove(data_key)
        if data_keys:
            raise Refused
    return data

def validate____defs_namedsubnet(data):
    data_any_of_count22 = 0
    if not data_any_of_count22:
        try:
            validate____defs_text(data)
            data_any_of_count22 += 1
        except Refused: pass
    if not data_any_of_count22:
        try:
            validate____defs_subnet(data)
            data_any_of_count22 += 1
        except Refused: pass
    if not data_any_of_count22:
        raise Refused
    return data

def validate____defs_subnet(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['subnet']) - data.keys()
        if data__missing_keys:
            raise Refused
        data_keys = set(data.keys())
        if "subnet" in data_keys:
            data_keys.remove("subnet")
            data__subnet = data["subnet"]
            if not isinstance(data__subnet, (str)):
                raise Refused
            if isinstance(data__subnet, str):
                data__subnet_len = len(data__subnet)
                if data__subnet_len < 1:
                    raise Refused
        if "gateway" in data_keys:
            data_keys.remove("gateway")
            data__gateway = data["gateway"]
            if not isinstance(data__gateway, (str)):
                raise Refused
            if isinstance(data__gateway, str):
                data__gateway_len = len(data__gateway)
                if data__gateway_len < 1:
                    raise Refused
        if "ip_range" in data_keys:
            data_keys.remove("ip_range")
            data__iprange = data["ip_range"]
            if not isinstance(data__iprange, (str)):
                raise Refused
            if isinstance(data__iprange, str):
                data__iprange_len = len(data__iprange)
                if data__iprange_len < 1:
                    raise Refused
        if "aux_addresses" in data_keys:
            data_keys.remove("aux_addresses")
            data__auxaddresses = data["aux_addresses"]
            if not isinstance(data__auxaddresses, (dict)):
                raise Refused
            data__auxaddresses_is_dict = isinstance(data__auxaddresses, dict)
            if data__auxaddresses_is_dict:
                data__auxaddresses_keys = set(data__auxaddresses.keys())
                for data__auxaddresses_key in data__auxaddresses_keys:
                    if data__auxaddresses_key not in []:
                        data__auxaddresses_value = data__auxaddresses.get(data__auxaddresses_key)
                        validate____defs_text(data__auxaddresses_value)
                data__auxaddresses_len = len(data__auxaddresses)
                if data__auxaddresses_len != 0:
                    data__auxaddresses_property_names = True
                    for data__auxaddresses_key in data__auxaddresses:
                        try:
                            validate____defs_name(data__auxaddresses_key)
                        except Refused:
                            data__auxaddresses_property_names = False
                    if not data__auxaddresses_property_names:
                        raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_parent(data):
    if not isinstance(data, (dict)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['interface']) - data.keys()
        if data__missing_keys:
            raise Refused
        data_keys = set(data.keys())
        if "interface" in data_keys:
            data_keys.remove("interface")
            data__interface = data["interface"]
            data__interface_any_of_count23 = 0
            if not data__interface_any_of_count23:
                try:
                    validate____defs_text(data__interface)
                    data__interface_any_of_count23 += 1
                except Refused: pass
            if not data__interface_any_of_count23:
                try:
                    if not isinstance(data__interface, (dict)):
                        raise Refused
                    data__interface_is_dict = isinstance(data__interface, dict)
                    if data__interface_is_dict:
                        data__interface_len = len(data__interface)
                        if data__interface_len < 1:
                            raise Refused
                        data__interface_keys = set(data__interface.keys())
                        for data__interface_key in data__interface_keys:
                            if data__interface_key not in []:
                                data__interface_value = data__interface.get(data__interface_key)
                                validate____defs_text(data__interface_value)
                        if data__interface_len != 0:
                            data__interface_property_names = True
                            for data__interface_key in data__interface:
                                try:
                                    validate____defs_name(data__interface_key)
                                except Refused:
                                    data__interface_property_names = False
                            if not data__interface_property_names:
                                raise Refused
                    data__interface_any_of_count23 += 1
                except Refused: pass
            if not data__interface_any_of_count23:
                raise Refused
        if "vlan" in data_keys:
            data_keys.remove("vlan")
            data__vlan = data["vlan"]
            validate____defs_vlan(data__vlan)
        if "promiscuous" in data_keys:
            data_keys.remove("promiscuous")
            data__promiscuous = data["promiscuous"]
            if not isinstance(data__promiscuous, (bool)):
                raise Refused
        if "mtu" in data_keys:
            data_keys.remove("mtu")
            data__mtu = data["mtu"]
            validate____defs_mtu(data__mtu)
        if data_keys:
            raise Refused
    return data

def validate____defs_vlan(data):
    if not isinstance(data, (int)) and not (isinstance(data, float) and data.is_integer()) or isinstance(data, bool):
        raise Refused
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        if data < 1:
            raise Refused
        if data > 4094:
            raise Refused
    return data

def validate____defs_host(data):
    if not isinstance(data, (dict, _NoneType)):
        raise Refused
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "address" in data_keys:
            data_keys.remove("address")
            data__address = data["address"]
            if not isinstance(data__address, (str)):
                raise Refused
            if isinstance(data__address, str):
                data__address_len = len(data__address)
                if data__address_len < 1:
                    raise Refused
        if "user" in data_keys:
            data_keys.remove("user")
            data__user = data["user"]
            if not isinstance(data__user, (str)):
                raise Refused
            if isinstance(data__user, str):
                data__user_len = len(data__user)
                if data__user_len < 1:
                    raise Refused
        if "port" in data_keys:
            data_keys.remove("port")
            data__port = data["port"]
            validate____defs_portnumber(data__port)
        if "identity_file" in data_keys:
            data_keys.remove("identity_file")
            data__identityfile = data["identity_file"]
            if not isinstance(data__identityfile, (str)):
                raise Refused
            if isinstance(data__identityfile, str):
                data__identityfile_len = len(data__identityfile)
                if data__identityfile_len < 1:
                    raise Refused
        if "agent" in data_keys:
            data_keys.remove("agent")
            data__agent = data["agent"]
            if not isinstance(data__agent, (bool)):
                raise Refused
        if "proxy_jump" in data_keys:
            data_keys.remove("proxy_jump")
            data__proxyjump = data["proxy_jump"]
            if not isinstance(data__proxyjump, (str)):
                raise Refused
            if isinstance(data__proxyjump, str):
                data__proxyjump_len = len(data__proxyjump)
                if data__proxyjump_len < 1:
                    raise Refused
        if "become" in data_keys:
            data_keys.remove("become")
            data__become = data["become"]
            if not isinstance(data__become, (str)):
                raise Refused
            if not (isinstance(data__become, str) and data__become == '' or isinstance(data__become, str) and data__become == 'sudo'):
                raise Refused
        if "connect_timeout" in data_keys:
            data_keys.remove("connect_timeout")
            data__connecttimeout = data["connect_timeout"]
            validate____defs_duration(data__connecttimeout)
        if "command_timeout" in data_keys:
            data_keys.remove("command_timeout")
            data__commandtimeout = data["command_timeout"]
            validate____defs_duration(data__commandtimeout)
        if "keepalive" in data_keys:
            data_keys.remove("keepalive")
            data__keepalive = data["keepalive"]
            validate____defs_duration(data__keepalive)
        if "underlay" in data_keys:
            data_keys.remove("underlay")
            data__underlay = data["underlay"]
            if not isinstance(data__underlay, (str)):
                raise Refused
            if isinstance(data__underlay, str):
                data__underlay_len = len(data__underlay)
                if data__underlay_len < 1:
                    raise Refused
        if "runtime" in data_keys:
            data_keys.remove("runtime")
            data__runtime = data["runtime"]
            if not isinstance(data__runtime, (str)):
                raise Refused
            if not (isinstance(data__runtime, str) and data__runtime == 'docker' or isinstance(data__runtime, str) and data__runtime == 'podman' or isinstance(data__runtime, str) and data__runtime == 'namespace'):
                raise Refused
        if data_keys:
            raise Refused
    return data

def validate____defs_name(data):
    if not isinstance(data, (str)):
        raise Refused
    if isinstance(data, str):
        if not _PATTERNS['^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$'].search(data):
            raise Refused
    return data

def validate____defs_variablename(data):
    if not isinstance(data, (str)):
        raise Refused
    if isinstance(data, str):
        if not _PATTERNS['^[a-zA-Z_][a-zA-Z0-9_]*$'].search(data):
            raise Refused
    return data
